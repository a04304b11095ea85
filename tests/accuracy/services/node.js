// SPDX-License-Identifier: Apache-2.0
// LAB_SERVER: http (node:http) or grpc (grpc-js). LAB_CLIENT: agent (node:http), close (the same, a connection for each call), fetch
// (built in), undici, http2 (node:http2) or grpc (grpc-js). /h: four workers fed by a queue, /t: a timer before the call, /g and /gp:
// calls of grpc-js.
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const http2 = require('node:http2');
const https = require('node:https');
const timers = require('node:timers/promises');

const backend = process.env.LAB_URL;
const limit = Number(process.env.LAB_POOL || 0);

const clients = {
  close() {
    return clients.agent(false);
  },
  agent(keepAlive = true) {
    const library = backend.startsWith('https') ? https : http;
    const agent = new library.Agent({keepAlive, maxSockets: limit || Infinity, maxFreeSockets: 256});
    return (path) => new Promise((resolve, reject) => {
      library.get(backend + path, {agent}, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (piece) => { text += piece; }).on('end', () => resolve(text));
      }).on('error', reject);
    });
  },
  fetch() {
    return async (path) => (await fetch(backend + path)).text();
  },
  undici() {
    const {Pool} = require('undici');
    const pool = new Pool(backend, {connections: limit || 200});
    return async (path) => (await pool.request({path, method: 'GET'})).body.text();
  },
  http2() {
    const session = http2.connect(backend);
    return (path) => new Promise((resolve, reject) => {
      let text = '';
      session.request({':path': path}).setEncoding('utf8').on('data', (piece) => { text += piece; }).on('end', () => resolve(text))
        .on('error', reject).end();
    });
  },
  grpc() {
    const grpc = require('@grpc/grpc-js');
    const client = new grpc.Client(`127.0.0.1:${process.env.LAB_BACKEND}`, grpc.credentials.createInsecure());
    return (path) => new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, asIs, asIs, Buffer.alloc(0), (error, answer) => error ? reject(error) : resolve(String(answer)));
    });
  },
};
const asIs = (bytes) => bytes;
const call = clients[process.env.LAB_CLIENT]();
let streamed;

const jobs = [];
const idle = [];
function handOver(path) {
  return new Promise((resolve, reject) => {
    jobs.push({path, resolve, reject});
    idle.shift()?.();
  });
}
async function worker() {
  for (;;) {
    const job = jobs.shift();
    if (job) {
      await call(job.path).then(job.resolve, job.reject);
    } else {
      await new Promise((resolve) => { idle.push(resolve); });
    }
  }
}
for (let i = 0; i < 4; i++) worker();

const modes = {
  r: (a) => call(a),
  s: async (a, b) => await call(a) + await call(b),
  p: async (a, b) => (await Promise.all([call(a), call(b)])).join(''),
  h: (a) => handOver(a),
  g: (a) => streamed(a),
  gp: async (a, b) => (await Promise.all([streamed(a), streamed(b)])).join(''),
  t: async (a) => {
    await timers.setTimeout(1);
    return call(a);
  },
};

async function background() {
  await call('/b/bg/start');
  for (let n = 0; ; n++) {
    await timers.setTimeout(20);
    await call(`/b/bg/${n}`);
  }
}

function answerTo(path) {
  const [, mode, id] = path.split('/');
  return mode === 'b' ? call(path) : modes[mode](`/b/${id}/a`, `/b/${id}/b`);
}

async function handle(request, response) {
  try {
    response.end(await answerTo(request.url));
  } catch (error) {
    response.statusCode = 500;
    response.end(String(error));
  }
}

const servers = {
  http() {
    const certificate = process.env.LAB_CERTIFICATE;
    const server = certificate ?
      https.createServer({cert: fs.readFileSync(certificate), key: fs.readFileSync(process.env.LAB_KEY)}, handle) :
      http.createServer(handle);
    server.listen(Number(process.env.LAB_PORT), '127.0.0.1');
  },
  grpc() {
    const grpc = require('@grpc/grpc-js');
    const server = new grpc.Server();
    // Every path is a method.
    server.handlers.get = (path) => ({
      path,
      type: 'unary',
      serialize: asIs,
      deserialize: asIs,
      func: (request, done) => answerTo(path).then((text) => done(null, Buffer.from(text)), done),
    });
    streamed = clients.grpc();
    server.bindAsync(`127.0.0.1:${process.env.LAB_PORT}`, grpc.ServerCredentials.createInsecure(), (error) => { if (error) throw error; });
  },
};
servers[process.env.LAB_SERVER]();
if (process.env.LAB_TIMER) background();
