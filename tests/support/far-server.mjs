// The far side of a small network, in plain JavaScript since it runs in a namespace of its own: a name server whose answers stand in a
// file, ports that lead to sockets of the test, and somebody else's web server. Its argument, as JSON:
// {addresses, zone, ports: {PORT: SOCKET}, stranger}; the name server is at the first address.
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:net';

const { addresses, zone, ports, stranger } = JSON.parse(process.argv[2]);
const TYPES = { 1: 'A', 28: 'AAAA' };
const NXDOMAIN = 3;
const SERVFAIL = 2;

const names = createSocket('udp4');
names.on('message', (question, from) => {
  const { answer, delayMs = 0, a = [], aaaa = [] } = JSON.parse(readFileSync(zone, 'utf8'));
  if (answer === 'silence') return;
  const end = question.indexOf(0, 12) + 5;
  const type = TYPES[question.readUInt16BE(end - 4)];
  const found = answer === undefined ? ({ A: a, AAAA: aaaa }[type] ?? []) : [];
  const code = { 'no such name': NXDOMAIN, failure: SERVFAIL }[answer] ?? 0;
  const head = Buffer.alloc(12);
  question.copy(head, 0, 0, 2);
  head.writeUInt16BE(0x8180 | code, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(found.length, 6);
  const reply = Buffer.concat([head, question.subarray(12, end), ...found.map((text) => record(type, text))]);
  setTimeout(() => names.send(reply, from.port, from.address), delayMs);
});

function record(type, text) {
  const data =
    type === 'A' ? Buffer.from(text.split('.').map(Number)) : Buffer.from(text.replaceAll(':', ''), 'hex');
  const fields = Buffer.from([0xc0, 12, 0, type === 'A' ? 1 : 28, 0, 1, 0, 0, 0, 0, 0, data.length]);
  return Buffer.concat([fields, data]);
}

for (const address of addresses)
  for (const [port, path] of Object.entries(ports))
    createServer((near) => {
      const far = connect(path);
      near.pipe(far).pipe(near);
      for (const [one, other] of [
        [near, far],
        [far, near],
      ])
        one.on('error', () => {}).on('close', () => other.destroy());
    }).listen(Number(port), address);

createHttpServer((_, response) => response.end('<h1>Welcome to somebody else</h1>')).listen(80, stranger);

names.bind(53, addresses[0], () => console.log('ready'));
