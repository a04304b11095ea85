// SPDX-License-Identifier: Apache-2.0
// HTTP/2 without TLS: answers every stream with as many bytes as its path says last.
const http2 = require('http2');
const server = http2.createServer();
server.on('stream', (stream, headers) => {
  const size = Number(headers[':path'].split('/').pop()) || 0;
  stream.respond({':status': size % 7 === 6 ? 503 : 200});
  stream.end('n'.repeat(size));
});
server.listen(Number(process.argv[2]), '127.0.0.1');
