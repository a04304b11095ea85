// SPDX-License-Identifier: Apache-2.0
// Node's http server: node_server.js PORT. Same answers and log as answer.py.
'use strict';
const fs = require('fs');
const http = require('http');

const log = fs.openSync(process.env.ACCESS_LOG, 'a');

http.createServer((request, response) => {
  const begin = process.hrtime.bigint();
  const query = new URL(request.url, 'http://localhost').searchParams;
  const status = Number(query.get('status') || 200);
  const size = Number(query.has('size') ? query.get('size') : 64);
  const body = Buffer.alloc(size, 'x');
  let received = 0;
  request.on('data', (chunk) => { received += chunk.length; });
  request.on('end', () => setTimeout(() => {
    if (query.get('chunked') === '1') {
      response.writeHead(status, {'Content-Type': 'text/plain'});
      if (size > 0) {
        response.write(body.subarray(0, size >> 1));
        response.write(body.subarray(size >> 1));
      }
      response.end();
    } else {
      response.writeHead(status, {'Content-Type': 'text/plain', 'Content-Length': size});
      response.end(body);
    }
  }, Number(query.get('ms') || 0)));
  response.on('finish', () => fs.writeSync(log, JSON.stringify({
    method: request.method, target: request.url, status: status, response_bytes: size, request_bytes: received,
    duration_ms: Number(process.hrtime.bigint() - begin) / 1e6}) + '\n'));
}).listen(Number(process.argv[2]), '127.0.0.1');
