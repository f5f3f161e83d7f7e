/** One connection to one of the servers, or why there is none. Credentials and certificates are read anew each time. */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { errnoOf } from '../errors.ts';
import type { NatsConfig } from '../model/host.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { loadNatsClient, type NatsClient } from './load-nats-client.ts';
import type { JetStreamClient, JetStreamManager, NatsConnection } from './nats-client.ts';
import { type NatsSecret, readNatsSecret } from './nats-credentials.ts';
import { type Greeting, greet, type NatsServer, parseServer, placeOf } from './nats-greeting.ts';
import { CERTIFICATE_HINT, troubleOfNats } from './nats-trouble.ts';

/** A connection for as long as it lasts. */
export interface NatsSession {
  readonly client: NatsClient;
  readonly connection: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  /** How many servers the cluster has, as far as we know. */
  readonly servers: number;
  /** Aborted when the connection ends. */
  readonly signal: AbortSignal;
}

export const CONNECT_TIMEOUT_MS = 10_000;
/** Of one request: an answer that comes later than this is none. */
export const REQUEST_TIMEOUT_MS = 8_000;
/** A connection on which nothing is heard is given up after three of these. */
const PING_INTERVAL_MS = 20_000;

/** @param random In [0, 1): hosts begin with different servers. */
export async function connectToNats(
  config: NatsConfig,
  random: () => number,
  signal: AbortSignal,
): Promise<Result<NatsSession>> {
  const secret = readNatsSecret(config.credentialsFile);
  if (!secret.ok) return secret;
  const files = readTlsFiles(config);
  if (!files.ok) return files;
  let last: Result<NatsSession> | null = null;
  for (const server of shuffled(config.servers.map(parseServer), random)) {
    if (signal.aborted) break;
    last = await connectToServer({ server, secret: secret.value, files: files.value, config, signal });
    // Another server of the cluster would refuse us as well.
    if (last.ok || last.trouble.code === 'auth-refused') break;
  }
  return last ?? fail(trouble('unreachable', 'expected a connection to NATS, found that we were stopped'));
}

interface Attempt {
  readonly server: NatsServer;
  readonly secret: NatsSecret | null;
  readonly files: TlsFiles;
  readonly config: NatsConfig;
  readonly signal: AbortSignal;
}

async function connectToServer(o: Attempt): Promise<Result<NatsSession>> {
  const { server, config, signal } = o;
  const doing = { place: placeOf(server), what: 'to let us in' };
  const greeting = await greet(server, CONNECT_TIMEOUT_MS, signal);
  if (!greeting.ok) return greeting;
  try {
    const client = await loadNatsClient();
    const login = loginOptions(client, o.secret);
    if (login === null) {
      const file = config.credentialsFile;
      return fail(
        trouble('auth-refused', `expected a user's JWT and seed in ${file}, found a damaged .creds file`, {
          hint: 'put the file there as nsc writes it',
        }),
      );
    }
    const { address } = greeting.value;
    const connection = await client.connect({
      servers: [isIP(address) === 6 ? `[${address}]:${server.port}` : `${address}:${server.port}`],
      name: 'pullyu',
      // Both are ours: each connection is made anew, and each failure has a name.
      reconnect: false,
      ignoreClusterUpdates: true,
      resolve: false,
      timeout: CONNECT_TIMEOUT_MS,
      pingInterval: PING_INTERVAL_MS,
      maxPingOut: 2,
      inboxPrefix: '_INBOX',
      tls: tlsOptions(o, greeting.value),
      ...login,
    });
    const end = new AbortController();
    void connection.closed().finally(() => end.abort());
    const js = client.jetstream(connection, { timeout: REQUEST_TIMEOUT_MS, checkAPI: false });
    return ok({
      client,
      connection,
      js,
      jsm: await js.jetstreamManager(false),
      servers: Math.max(greeting.value.servers, new Set(config.servers).size),
      signal: end.signal,
    });
  } catch (error) {
    const problem = troubleOfNats(error, doing);
    // It closes the connection in the middle; whether its reason still reaches us is chance.
    const isRefused = problem.code === 'unreachable' && greeting.value.asksForCertificate;
    return fail(isRefused ? { ...problem, code: 'tls', hint: CERTIFICATE_HINT } : problem);
  }
}

/** null: it cannot be used. */
function loginOptions(client: NatsClient, secret: NatsSecret | null) {
  switch (secret?.kind) {
    case 'creds':
      try {
        const authenticator = client.credsAuthenticator(new TextEncoder().encode(secret.text));
        // In the middle of a connection it would only end it.
        authenticator('nonce');
        return { authenticator };
      } catch {
        return null;
      }
    case 'password':
      return { user: secret.user, pass: secret.password };
    case 'token':
      return { token: secret.token };
    default:
      return {};
  }
}

/** null: no TLS, also where the server would have it. The name is checked against what host.yaml says, not against the address. */
function tlsOptions({ server, files, config }: Attempt, greeting: Greeting): null | Record<string, unknown> {
  const isWanted = server.isTls || config.tlsCa !== null || config.tlsCert !== null;
  if (!isWanted && !greeting.needsTls) return null;
  return { host: server.host, servername: isIP(server.host) === 0 ? server.host : '', ...files };
}

interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

function readTlsFiles({ tlsCa, tlsCert, tlsKey }: NatsConfig): Result<TlsFiles> {
  const files: Record<string, string> = {};
  for (const [what, file] of [
    ['ca', tlsCa],
    ['cert', tlsCert],
    ['key', tlsKey],
  ] as const) {
    if (file === null) continue;
    try {
      files[what] = readFileSync(file, 'utf8');
    } catch (error) {
      const found = errnoOf(error) ?? 'error';
      return fail(
        trouble('tls', `expected tls.${what} of nats in ${file}, found none (${found})`, {
          hint: 'put the file there, readable for the agent',
        }),
      );
    }
  }
  return ok(files);
}

function shuffled<T>(list: readonly T[], random: () => number): T[] {
  return list
    .map((value) => ({ value, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}
