/**
 * Two machines and a cable: the host's side with its own interface, firewall and resolv.conf, the far side with a name server and the
 * ports of the test's servers. Each is a network namespace; nothing of this machine's network is touched. Needs root.
 */
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer, connect as openSocket, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild } from './child.ts';
import { program as pullyu } from './host.ts';
import { findProgram } from './needs.ts';
import { tempFolder } from './temp.ts';
import { until } from './until.ts';

/** What is missing for it, by name; empty when networks can be made here, firewall included. */
export function missingForSmallNetworks(): string[] {
  if (process.getuid?.() !== 0) return ['root rights'];
  const missing = ['unshare', 'nsenter', 'ip', 'nft', 'mount'].filter((name) => findProgram(name) === null);
  if (missing.length > 0) return missing;
  const script =
    'ip link add eth0 type veth peer name far0 && nft add table inet ask && mount --bind /tmp /tmp';
  try {
    execFileSync('unshare', ['--net', '--mount', '--', 'sh', '-c', script], { stdio: 'ignore' });
    return [];
  } catch {
    return ['network namespaces with veth and nftables'];
  }
}

const NEAR = '10.77.0.2';
export const FAR = '10.77.0.1';
/** All 32 digits, as the small name server wants them. */
export const FAR6 = 'fd77:0000:0000:0000:0000:0000:0000:0001';
/** Addresses that have a way to them, and nobody who answers. */
export const HOLE = '10.77.0.66';
export const HOLE6 = 'fd77:0000:0000:0000:0000:0000:0000:0066';
/** Somebody else's web server. */
export const STRANGER = '10.77.0.3';
/** Belongs to the far side, and nobody listens there. */
export const SILENT = '10.77.0.4';
const NOBODY = '02:00:00:00:00:66';

/** What the name server says of every name. */
export interface Zone {
  readonly a?: readonly string[];
  readonly aaaa?: readonly string[];
  readonly answer?: 'no such name' | 'failure' | 'silence';
  readonly delayMs?: number;
}

export interface SmallNetwork extends AsyncDisposable {
  /** bin/pullyu on the host's side: for `createHost`. */
  readonly program: string;
  names(zone: Zone): void;
  /** Runs a program on the host's side, as root there: `ip link set eth0 down`. @throws when it fails. */
  near(...argv: [string, ...string[]]): void;
  /** Ends every connection: the next question needs a new one, and so the name. */
  cut(): void;
  close(): Promise<void>;
}

/** @param ports Of the far side, each with a port of this machine's loopback that it leads to. */
export async function createSmallNetwork(ports: Readonly<Record<number, number>>): Promise<SmallNetwork> {
  const temp = tempFolder('network');
  const file = (name: string) => join(temp.path, name);
  const zone = file('zone.json');
  const names = (content: Zone) => writeFileSync(zone, JSON.stringify(content));
  names({ a: [FAR] });
  writeFileSync(file('resolv.conf'), `nameserver ${FAR}\noptions timeout:1 attempts:1\n`);
  writeFileSync(file('nsswitch.conf'), 'hosts: files dns\n');

  const setUp = [
    'set -e',
    'ip link set lo up',
    ...['resolv.conf', 'nsswitch.conf'].map((name) => `mount --bind ${file(name)} /etc/${name}`),
    'echo ready',
    'exec sleep 3600',
  ].join('\n');
  const space = () => startChild(['unshare', '--net', '--mount', '--', 'sh', '-c', setUp]);
  const spaces = [space(), space()] as const;
  const [host, far] = spaces;
  const inside = (which: { pid: number }) => ['nsenter', '-t', String(which.pid), '-n', '-m', '--'] as const;
  const run = (...[command, ...args]: [string, ...string[]]) =>
    execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 20_000 });
  const near = (...argv: [string, ...string[]]) => void run(...inside(host), ...argv);

  const outlets = Object.entries(ports).map(([port, to]) => openOutlet(file(`port-${port}`), to));
  let server: ReturnType<typeof startChild> | null = null;
  const close = async () => {
    for (const child of [server, ...spaces]) await child?.close();
    for (const outlet of outlets) outlet.close();
    temp[Symbol.dispose]();
  };
  try {
    for (const one of spaces)
      await until(() => one.output().includes('ready'), { found: one.output, everyMs: 5 });
    const script = [
      `ip link add eth0 type veth peer name far0 netns ${far.pid}`,
      `ip addr add ${NEAR}/24 dev eth0`,
      'ip -6 addr add fd77::2/64 dev eth0 nodad',
      'ip link set eth0 up',
      `ip neigh add ${HOLE} lladdr ${NOBODY} dev eth0 nud permanent`,
      `ip -6 neigh add ${HOLE6} lladdr ${NOBODY} dev eth0 nud permanent`,
    ];
    const there = [
      ...[FAR, STRANGER, SILENT].map((address) => `ip addr add ${address}/24 dev far0`),
      `ip -6 addr add ${FAR6}/64 dev far0 nodad`,
      'ip link set far0 up',
    ];
    near('sh', '-ec', script.join('\n'));
    run(...inside(far), 'sh', '-ec', there.join('\n'));
    const what = {
      addresses: [FAR, FAR6],
      stranger: STRANGER,
      zone,
      ports: Object.fromEntries(Object.keys(ports).map((port) => [port, file(`port-${port}`)])),
    };
    server = startChild([
      ...inside(far),
      process.execPath,
      fileURLToPath(new URL('./far-server.mjs', import.meta.url)),
      JSON.stringify(what),
    ]);
    await until(() => server?.output().includes('ready'), { found: () => server?.output(), everyMs: 5 });
  } catch (error) {
    await close();
    throw error;
  }
  const program = file('pullyu');
  writeFileSync(program, `#!/bin/sh\nexec ${inside(host).join(' ')} ${pullyu} "$@"\n`, { mode: 0o755 });
  const cut = () => {
    for (const outlet of outlets) outlet.cut();
  };
  return { program, names, near, cut, close, [Symbol.asyncDispose]: close };
}

/** A Unix socket, which no network namespace holds back, that leads to a port of the loopback. */
function openOutlet(path: string, to: number): { cut(): void; close(): void } {
  const sockets = new Set<Socket>();
  const server: Server = createServer((near) => {
    const far = openSocket({ port: to, host: '127.0.0.1' });
    near.pipe(far).pipe(near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(one);
          other.destroy();
        });
    }
  }).listen(path);
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    cut,
    close() {
      server.close();
      cut();
      rmSync(path, { force: true });
    },
  };
}
