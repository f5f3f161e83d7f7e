// The shop: a page that says which host made it and what the database told it. ADDRESS and PORT say where it answers.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';

const { NAME, RELEASE, ADDRESS, PORT, DATABASE } = process.env;

/** One line of the database that is in use now. */
function ask() {
  return new Promise((resolve, reject) => {
    const [host, port] = readFileSync(DATABASE, 'utf8').trim().split(' ');
    const socket = connect({ host, port: Number(port), timeout: 2000 });
    let text = '';
    socket.setEncoding('utf8').on('data', (more) => (text += more));
    socket.on('end', () => resolve(text.trim()));
    socket.on('timeout', () => socket.destroy(new Error('no answer')));
    socket.on('error', reject);
  });
}

const server = createServer(async (request, response) => {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.setHeader('X-Release', RELEASE);
  // Asked by the balancer. The database does not count: without it no other host would do better.
  if (request.url === '/health') return response.end('well\n');
  const found = await ask().catch((error) => `no database (${error.code ?? error.message})`);
  response.end(`${NAME}: ${found}\n`);
});
server.listen({ port: Number(PORT), host: ADDRESS || undefined }, () => console.log(`on port ${PORT}`));

process.on('SIGTERM', () => {
  server.close();
  server.closeIdleConnections();
  setTimeout(() => process.exit(), 3000).unref();
});
