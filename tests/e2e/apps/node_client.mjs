// SPDX-License-Identifier: Apache-2.0
// Node's fetch: node_client.mjs BASE FILE. FILE has one JSON request per line; each answer becomes a line of CLIENT_LOG.
import fs from 'node:fs';

const [base, file] = process.argv.slice(2);
const requests = fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
const log = fs.openSync(process.env.CLIENT_LOG, 'w');
let next = 0;
async function worker() {
  while (next < requests.length) {
    const {method, target, bytes} = requests[next++];
    const answer = await fetch(base + target, {
      method, redirect: 'manual', body: bytes > 0 ? Buffer.alloc(bytes, 'y') : undefined});
    const size = (await answer.arrayBuffer()).byteLength;
    fs.writeSync(log, JSON.stringify({
      method, target, status: answer.status, response_bytes: size, request_bytes: bytes}) + '\n');
  }
}
await Promise.all(Array.from({length: 8}, worker));
