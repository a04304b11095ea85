// SPDX-License-Identifier: Apache-2.0
module grpc_go

go 1.21

require google.golang.org/grpc v1.64.0
