/**
 * Stands in for HAProxy where that is not installed, as far as examples/load-balancer calls it: `-c -f FILE` checks a configuration,
 * `-D -f FILE -p PIDFILE` begins to serve it, `-D -f FILE -p PIDFILE -x SOCKET -sf PID` hands it to the one that serves already.
 *
 * Of the configuration it reads `bind ADDRESS:PORT` and the lines `server NAME ADDRESS:PORT`. Each connection goes to the next server in
 * turn; one that does not take it is passed over, so a visitor never meets a dead one. For a demo on this machine, and nothing else.
 */
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

interface Place {
  readonly host: string;
  readonly port: number;
}

interface Balancing {
  readonly bind: Place;
  readonly servers: readonly Place[];
}

const START_MS = 5_000;
const CONNECT_MS = 1_000;

/** @returns what is wrong with it as a text. */
export function parseBalancing(text: string): Balancing | string {
  const placed = (pattern: RegExp) =>
    [...text.matchAll(pattern)].map(
      ([, host, port]): Place => ({ host: host || '0.0.0.0', port: Number(port) }),
    );
  const [bind, ...others] = placed(/^ *bind +(\S*):(\d+)$/gm);
  if (bind === undefined || others.length > 0) return 'expected one line "bind ADDRESS:PORT"';
  return { bind, servers: placed(/^ *server +\S+ +(\S+):(\d+)$/gm) };
}

async function run(argv: readonly string[]): Promise<number> {
  const after = (option: string) => argv[argv.indexOf(option) + 1] ?? '';
  const [file, pidFile] = [after('-f'), after('-p')];
  const parsed = parseBalancing(readFileSync(file, 'utf8'));
  if (typeof parsed === 'string') {
    console.error(`${file}: ${parsed}`);
    return 1;
  }
  if (argv.includes('-c')) return 0;
  // Read anew at each connection.
  copyFileSync(file, `${pidFile}.cfg`);
  if (argv.includes('-sf')) return 0;
  const serving = [process.argv[1]!, 'serve', pidFile];
  const child = spawn(process.execPath, serving, { detached: true, stdio: 'ignore' });
  child.unref();
  for (const deadline = Date.now() + START_MS; Date.now() < deadline; await delay(10)) {
    if (child.exitCode !== null) break;
    if (existsSync(pidFile) && readFileSync(pidFile, 'utf8') === `${child.pid}`) return 0;
  }
  console.error(`port ${parsed.bind.port} was not to be had`);
  return 1;
}

function serve(pidFile: string): void {
  const read = () => parseBalancing(readFileSync(`${pidFile}.cfg`, 'utf8'));
  const first = read();
  if (typeof first === 'string') return;
  let turn = 0;
  const server = createServer((visitor) => {
    const now = read();
    const servers = typeof now === 'string' ? [] : now.servers;
    turn += 1;
    const order = servers.map((_, n) => servers[(turn + n) % servers.length]!);
    visitor.on('error', () => visitor.destroy());
    join(visitor, order);
  });
  server.listen(first.bind.port, first.bind.host, () => writeFileSync(pidFile, `${process.pid}`));
}

/** With the first that takes the connection. */
function join(visitor: Socket, [place, ...others]: readonly Place[]): void {
  if (place === undefined) {
    visitor.end('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    return;
  }
  const server = connect({ ...place, timeout: CONNECT_MS });
  const next = () => {
    server.destroy();
    join(visitor, others);
  };
  server.once('timeout', next).once('error', next);
  server.once('connect', () => {
    server.setTimeout(0);
    server.off('timeout', next).off('error', next);
    server.on('error', () => visitor.destroy());
    visitor.on('close', () => server.destroy());
    visitor.pipe(server).pipe(visitor);
  });
}

// Imported by a test it only offers its parts.
if (process.argv[1]?.endsWith('balancer.js')) {
  const [, , ...argv] = process.argv;
  if (argv[0] === 'serve') serve(argv[1]!);
  else process.exitCode = await run(argv);
}
