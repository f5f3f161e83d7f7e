/** Debian's nats-server with JetStream, each on a free port and in a folder of its own; alone or as a cluster on the loopback. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NatsConfig } from '../../src/model/host.ts';
import { type Authority, createAuthority, type KeyPair } from './certificates.ts';
import { type Child, freePort, startChild, untilListening } from './child.ts';
import { requireProgram } from './needs.ts';
import { tempFolder } from './temp.ts';
import { until } from './until.ts';

export interface NatsOptions {
  /** Default true. */
  readonly jetstream?: boolean;
  /** `client`: and it asks for certificates. */
  readonly tls?: boolean | 'client';
  /** A block of the server's configuration: who may come, and what he may do. */
  readonly authorization?: string;
  /** More lines of the configuration. */
  readonly more?: string;
}

export interface NatsServer extends AsyncDisposable {
  readonly port: number;
  /** Without credentials. */
  readonly url: string;
  readonly pid: () => number;
  /** Of the authority that clients have to trust, with `tls`. */
  readonly ca: string | null;
  readonly client: KeyPair | null;
  /** host.yaml's `nats`, as it is after parsing. A new object at each call: connections are shared by it. */
  config(more?: Partial<NatsConfig>): NatsConfig;
  output(): string;
  kill(signal: NodeJS.Signals): void;
  /** The server goes away; its port and what it stored stay. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** From the next start on. */
  authorize(authorization: string): void;
  close(): Promise<void>;
}

interface Placed {
  readonly folder: string;
  readonly port: number;
  /** Lines of a cluster. */
  readonly cluster: string;
}

export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  const temp = tempFolder('nats');
  const server = await createServer(options, { folder: temp.path, port: await freePort(), cluster: '' });
  await server.start();
  const close = async () => {
    await server.close();
    temp[Symbol.dispose]();
  };
  return { ...server, close, [Symbol.asyncDispose]: close };
}

export interface NatsCluster extends AsyncDisposable {
  readonly servers: readonly NatsServer[];
  /** All of them. */
  config(): NatsConfig;
  close(): Promise<void>;
}

/** Three servers that know each other; resolves when they have a leader. */
export async function startNatsCluster(): Promise<NatsCluster> {
  const temp = tempFolder('nats-cluster');
  const ports = [await freePort(), await freePort(), await freePort()];
  const routes = [await freePort(), await freePort(), await freePort()];
  const servers: NatsServer[] = [];
  for (const [n, port] of ports.entries()) {
    const folder = join(temp.path, `n${n}`);
    mkdirSync(folder);
    const others = routes.map((route) => `nats://127.0.0.1:${route}`).join(', ');
    const cluster = `server_name: n${n}\ncluster { name: test, listen: "127.0.0.1:${routes[n]}", routes: [${others}] }`;
    servers.push(await createServer({}, { folder, port, cluster }));
  }
  await Promise.all(servers.map((server) => server.start()));
  const close = async () => {
    await Promise.all(servers.map((server) => server.close()));
    temp[Symbol.dispose]();
  };
  await until(() => servers.some((server) => /JetStream cluster new metadata leader/.test(server.output())), {
    what: 'a leader of the cluster',
    found: () => servers.map((server) => server.output().slice(-1_000)),
  });
  return {
    servers,
    config: () => ({ ...servers[0]!.config(), servers: servers.map(({ url }) => url) }),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function createServer(options: NatsOptions, { folder, port, cluster }: Placed): Promise<NatsServer> {
  const program = requireProgram('nats-server');
  const at = (name: string) => join(folder, name);
  const authority: Authority | null = options.tls ? await createAuthority(folder) : null;
  const pair = authority && (await authority.issue('server', { hosts: ['localhost', '127.0.0.1'] }));
  const client = authority && (await authority.issue('client', { client: true }));
  let authorization = options.authorization ?? '';
  let child: Child | null = null;
  const stop = async () => {
    await child?.close();
    child = null;
  };
  const start = async () => {
    if (child !== null) return;
    const verify = options.tls === 'client' ? 'verify: true' : '';
    const lines = [
      `listen: "127.0.0.1:${port}"`,
      options.jetstream === false ? '' : `jetstream { store_dir: "${at('store')}", max_file_store: 512MB }`,
      authority && pair
        ? `tls { cert_file: "${pair.cert}", key_file: "${pair.key}", ca_file: "${authority.cert}", ${verify} }`
        : '',
      cluster,
      authorization,
      options.more ?? '',
    ];
    writeFileSync(at('nats.conf'), lines.join('\n'));
    child = startChild([program, '-c', at('nats.conf')]);
    await untilListening(child, port);
  };
  const url = `${options.tls ? 'tls' : 'nats'}://localhost:${port}`;
  return {
    port,
    url,
    pid: () => child?.pid ?? 0,
    ca: authority?.cert ?? null,
    client,
    config: (more = {}) => ({
      servers: [url],
      credentialsFile: null,
      tlsCa: authority?.cert ?? null,
      tlsCert: null,
      tlsKey: null,
      ...more,
    }),
    output: () => child?.output() ?? '',
    kill: (signal) => child?.kill(signal),
    stop,
    start,
    authorize: (block) => {
      authorization = block;
    },
    close: stop,
    [Symbol.asyncDispose]: stop,
  };
}
