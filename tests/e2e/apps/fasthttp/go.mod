// SPDX-License-Identifier: Apache-2.0
module fasthttp_peer

go 1.21

require github.com/valyala/fasthttp v1.58.0
require github.com/andybalholm/brotli v1.1.1 // indirect
require github.com/klauspost/compress v1.17.11 // indirect
require github.com/valyala/bytebufferpool v1.0.0 // indirect
