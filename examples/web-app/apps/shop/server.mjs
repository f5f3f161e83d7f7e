// The shop: one page, read once. It answers on SOCKET at once, and on PORT of this machine as soon as that is free.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const { PORT, SOCKET, NAME = '', RELEASE = '' } = process.env;
const page = readFileSync(new URL('./page.html', import.meta.url), 'utf8');

function answer(request, response) {
  const found = ['/', '/health'].includes(request.url); // The second is what a balancer asks for.
  response.writeHead(found ? 200 : 404, {
    'Content-Type': 'text/html; charset=utf-8',
    'X-Host': NAME,
    'X-Release': RELEASE,
  });
  response.end(found ? page : 'not found\n');
}

const servers = [createServer(answer).listen(SOCKET), createServer(answer)];
const [, onPort] = servers;
const take = () => onPort.listen(Number(PORT), '127.0.0.1');
onPort.on('error', (error) => {
  if (error.code !== 'EADDRINUSE') throw error;
  setTimeout(take, 20); // The old release is still there.
});
onPort.on('listening', () => console.log(`release ${RELEASE} on port ${PORT}`));
take();

process.on('SIGTERM', () => {
  for (const server of servers) server.close(); // Answers that are under way are finished.
  for (const server of servers) server.closeIdleConnections();
  setTimeout(() => process.exit(), 3000).unref();
});
