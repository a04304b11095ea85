// SPDX-License-Identifier: Apache-2.0
// Node's http server: node_server.js PORT [https|http2 CERTIFICATE KEY]. Same answers and log as answer.py.
'use strict';
const fs = require('fs');
const http = require('http');
const http2 = require('http2');
const https = require('https');

const [port, kind, certificate, key] = process.argv.slice(2);
const log = fs.openSync(process.env.ACCESS_LOG, 'a');

function handle(request, response) {
  const remotePort = request.socket.remotePort;
  const begin = process.hrtime.bigint();
  const query = new URL(request.url, 'http://localhost').searchParams;
  const status = Number(query.get('status') || 200);
  const size = Number(query.has('size') ? query.get('size') : 64);
  const body = Buffer.alloc(size, 'x');
  let received = 0;
  request.on('data', (chunk) => { received += chunk.length; });
  const answer = () => {
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
  };
  // Not through a timer of 0 ms: with TLS, Node 20 then sometimes refuses the next request's body (HPE_PAUSED).
  const pause = Number(query.get('ms') || 0);
  request.on('end', () => (pause ? setTimeout(answer, pause) : answer()));
  response.on('finish', () => fs.writeSync(log, JSON.stringify({
    method: request.method, target: request.url, status: status, response_bytes: size, request_bytes: received,
    duration_ms: Number(process.hrtime.bigint() - begin) / 1e6, port: remotePort}) + '\n'));
}

const secrets = kind ? {cert: fs.readFileSync(certificate), key: fs.readFileSync(key), allowHTTP1: true} : {};
const server = kind === 'http2' ? http2.createSecureServer(secrets, handle)
  : kind === 'https' ? https.createServer(secrets, handle) : http.createServer(handle);
server.keepAliveTimeout = 60000; // as it attaches, a busy machine may need longer than the usual five seconds
server.listen(Number(port), '127.0.0.1');
