// A database for want of a real one: it tells everybody who comes its name.
import { createServer } from 'node:net';

const { NAME, ADDRESS, PORT } = process.env;
const server = createServer((socket) => {
  socket.on('error', () => {});
  socket.end(`12 articles, says ${NAME}\n`);
});
server.listen({ port: Number(PORT), host: ADDRESS || undefined }, () => console.log(`on port ${PORT}`));
