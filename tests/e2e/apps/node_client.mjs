// SPDX-License-Identifier: Apache-2.0
// Node's fetch, or https with an agent: node_client.mjs BASE FILE [https]. FILE has one JSON request per line; each answer becomes a line of CLIENT_LOG.
import fs from 'node:fs';
import https from 'node:https';

const [base, file, kind] = process.argv.slice(2);
const requests = fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
const log = fs.openSync(process.env.CLIENT_LOG, 'w');
const agent = new https.Agent({keepAlive: true, maxSockets: 8});
let next = 0;

async function viaFetch(url, method, body) {
  const answer = await fetch(url, {method, redirect: 'manual', body});
  return {status: answer.status, size: (await answer.arrayBuffer()).byteLength};
}

function viaAgent(url, method, body) {
  return new Promise((resolve, reject) => {
    const request = https.request(url, {method, agent, headers: body ? {'Content-Length': body.length} : {}}, (answer) => {
      let size = 0;
      answer.on('data', (piece) => { size += piece.length; });
      answer.on('end', () => resolve({status: answer.statusCode, size}));
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function worker() {
  while (next < requests.length) {
    const {method, target, bytes} = requests[next++];
    const body = bytes > 0 ? Buffer.alloc(bytes, 'y') : undefined;
    const {status, size} = await (kind === 'https' ? viaAgent : viaFetch)(base + target, method, body);
    fs.writeSync(log, JSON.stringify({method, target, status, response_bytes: size, request_bytes: bytes}) + '\n');
  }
}
await Promise.all(Array.from({length: 8}, worker));
agent.destroy();
