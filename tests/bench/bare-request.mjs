// The least that Node can do for an idle look: one kept connection, the same question, the answer read. Arguments: URL, interval in ms.
import { Agent, request } from 'node:http';

const url = new URL(`${process.argv[2]}/git-upload-pack`);
const intervalMs = Number(process.argv[3]);
const packet = (text) => (text.length + 4).toString(16).padStart(4, '0') + text;
const body = `${packet('command=ls-refs\n')}0001${packet('ref-prefix refs/heads/main\n')}0000`;
const agent = new Agent({ keepAlive: true });
const headers = {
  'User-Agent': 'bare',
  'Git-Protocol': 'version=2',
  'Content-Type': 'application/x-git-upload-pack-request',
  Accept: 'application/x-git-upload-pack-result',
  'Content-Length': Buffer.byteLength(body),
};

setInterval(() => {
  const asking = request(url, { agent, method: 'POST', headers }, (answer) => {
    const pieces = [];
    answer.on('data', (piece) => pieces.push(piece));
    answer.on('end', () => {
      if (!Buffer.concat(pieces).includes('refs/heads/main')) throw new Error('expected the ref');
    });
  });
  asking.end(body);
}, intervalMs);
