// SPDX-License-Identifier: Apache-2.0
module go_streams

go 1.24

require golang.org/x/net v0.62.0

require google.golang.org/grpc v1.85.0
