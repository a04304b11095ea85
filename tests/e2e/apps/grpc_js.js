// SPDX-License-Identifier: Apache-2.0
// @grpc/grpc-js without generated code: `serve PORT COUNTFILE COUNT`, or `call PORT COUNT CONCURRENCY`. The methods are those of
// grpc_go/main.go.
'use strict';
const fs = require('fs');
const grpc = require('@grpc/grpc-js');

const same = (bytes) => bytes;
const [, , mode, port] = process.argv;
const nameOf = (i) => (i % 10 === 0 ? `Fail${i}` : i % 4 === 0 ? `Stream${i}` : `Add${i}`);

function serve(file, count) {
  let calls = 0;
  const definition = {};
  const handlers = {};
  for (let i = 0; i < count; i++) {
    const name = nameOf(i);
    const streams = name.startsWith('Stream');
    definition[name] = {
      path: `/shop.Cart/${name}`, requestStream: streams, responseStream: streams, requestSerialize: same,
      requestDeserialize: same, responseSerialize: same, responseDeserialize: same,
    };
    handlers[name] = streams
      ? (call) => {
          calls++;
          call.on('data', (message) => call.write(Buffer.concat([message, message])));
          call.on('end', () => call.end());
        }
      : (call, answer) => {
          calls++;
          if (name.startsWith('Fail')) return answer({code: grpc.status.NOT_FOUND, details: 'no such thing'});
          answer(null, Buffer.concat([call.request, call.request]));
        };
  }
  const server = new grpc.Server();
  server.addService(definition, handlers);
  server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error) => {
    if (error) throw error;
  });
  process.on('SIGTERM', () => {
    fs.writeFileSync(file, String(calls));
    process.exit(0);
  });
}

function one(client, i) {
  return new Promise((resolve, reject) => {
    const path = `/shop.Cart/${nameOf(i)}`;
    const deadline = Date.now() + 30000;
    if (path.includes('/Stream')) {
      const call = client.makeBidiStreamRequest(path, same, same, {deadline});
      let answers = 0;
      call.on('data', () => answers++);
      call.on('error', reject);
      call.on('end', () => (answers === (i % 5) + 1 ? resolve() : reject(new Error(`${path}: ${answers}`))));
      for (let k = 0; k <= i % 5; k++) call.write(Buffer.alloc(10));
      call.end();
      return;
    }
    client.makeUnaryRequest(path, same, same, Buffer.alloc(i % 3000), {deadline}, (error) => {
      const expected = path.includes('/Fail') ? grpc.status.NOT_FOUND : undefined;
      if ((error ? error.code : undefined) === expected) resolve();
      else reject(error || new Error(path));
    });
  });
}

async function call(count, concurrency) {
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  let next = 0;
  const worker = async () => {
    while (next < count) await one(client, next++);
  };
  await Promise.all(Array.from({length: concurrency}, worker));
  client.close();
}

if (mode === 'serve') {
  serve(process.argv[4], Number(process.argv[5]));
} else {
  call(Number(process.argv[4]), Number(process.argv[5])).catch((error) => {
    console.error(error);
    process.exit(1);
  });
}
