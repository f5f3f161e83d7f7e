/** A real web server in front of real git: nginx, fcgiwrap and git-http-backend. What it answers can be changed while it runs. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readProcessStat } from '../../src/system/processes.ts';
import { type Authority, createAuthority, type KeyPair } from './certificates.ts';
import { type Child, freePort, startChild, untilListening } from './child.ts';
import { git, gitEnvironment } from './git.ts';
import { requireProgram } from './needs.ts';
import { tempFolder } from './temp.ts';
import { until } from './until.ts';

export interface NginxOptions {
  /** The folder below which bare repositories are served. */
  readonly folder: string;
  readonly tls?: Certificate;
  /** Refuse whoever has no certificate of our authority (400, nginx's own answer). Needs `tls`. */
  readonly clientCertificate?: boolean;
  readonly basicAuth?: Credentials;
  /** At the same time; default 512. */
  readonly connections?: number;
  /** Largest request, as nginx takes it: its own default is `1m`, ours none. */
  readonly bodyMax?: string;
}

/** `good` names localhost and 127.0.0.1; `unknown-authority` is good, but signed by somebody that no client trusts. */
export type Certificate = 'good' | 'expired' | 'wrong-name' | 'unknown-authority';

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

export type Answer =
  | 'git'
  | { readonly status: number; readonly retryAfter?: string; readonly body?: string; readonly type?: string }
  /** Every request is sent to the same path below this URL. */
  | { readonly redirect: string; readonly status?: 301 | 302 | 307 | 308 };

/** What a captive portal says: 200, and nothing of git in it. */
export const loginPage: Answer = {
  status: 200,
  type: 'text/html',
  body: '<html><body><h1>Please log in</h1></body></html>',
};
export const emptyPage: Answer = { status: 200, body: '' };

/** One line of the access log. */
export interface Request {
  readonly method: string;
  readonly uri: string;
  readonly status: number;
  /** As sent, so that a test can tell whether credentials came along; '' for none. */
  readonly authorization: string;
  readonly gitProtocol: string;
  readonly agent: string;
  /** Serial number of the connection: equal for requests that shared one. */
  readonly connection: number;
  readonly bytes: number;
}

export interface Nginx extends AsyncDisposable {
  readonly port: number;
  /** Without a path: the server itself. Never with credentials in it. `localhost`, unless another name is given. */
  url(path?: string, host?: string): string;
  /** The authority that clients have to trust. */
  readonly ca: string;
  /** What a client shows when `clientCertificate` is asked for. */
  readonly client: KeyPair;
  /** From the next request on. Kept-alive connections are closed by this. */
  answer(answer: Answer): Promise<void>;
  setCredentials(credentials: Credentials | null): Promise<void>;
  setCertificate(certificate: Certificate): Promise<void>;
  /** Every request since the start (or the last `forget`), oldest first. */
  requests(): Request[];
  forget(): void;
  /** The server goes away; its port stays its own. */
  stop(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const program = requireProgram('nginx');
  const temp = tempFolder('nginx');
  const at = (name: string) => join(temp.path, name);
  const port = await freePort();
  const authority = await createAuthority(temp.path);
  const client = await authority.issue('a-client', { client: true });
  const backend = join(await git(['--exec-path']), 'git-http-backend');
  const certificates = await issueAll(authority, temp.path, options.tls !== undefined);
  mkdirSync(at('scratch'));
  writeFileSync(at('access.log'), '');
  const cgi = startChild([requireProgram('fcgiwrap'), '-f', '-c', '4', '-s', `unix:${at('cgi.sock')}`], {
    env: gitEnvironment,
  });
  let wanted: Wanted = {
    answer: 'git',
    tls: options.tls ?? null,
    basicAuth: options.basicAuth ?? null,
    generation: 1,
  };
  let server: Child | null = null;
  let seen = 0;

  const writeConfiguration = () => {
    const { basicAuth, tls } = wanted;
    if (basicAuth) writeFileSync(at('passwords'), `${basicAuth.user}:{PLAIN}${basicAuth.password}\n`);
    writeFileSync(
      at('nginx.conf'),
      configuration({
        ...wanted,
        at,
        port,
        backend,
        folder: options.folder,
        connections: options.connections ?? 512,
        bodyMax: options.bodyMax ?? '0',
        pair: tls ? certificates[tls] : null,
        ca: options.clientCertificate ? authority.cert : null,
      }),
    );
  };
  const start = async () => {
    if (server) return;
    writeConfiguration();
    server = startChild([program, '-p', temp.path, '-c', at('nginx.conf'), '-e', at('error.log')]);
    await untilListening(server, port);
  };
  const stop = async () => {
    await server?.close();
    server = null;
  };
  const change = async (more: Partial<Wanted>) => {
    wanted = { ...wanted, ...more, generation: wanted.generation + 1 };
    if (!server) return;
    const master = server.pid;
    const before = workersOf(master);
    writeConfiguration();
    server.kill('SIGHUP');
    // The old workers drop their idle connections and go; only then nobody is answered by the old configuration.
    await until(
      () => workersOf(master).length > 0 && !workersOf(master).some((pid) => before.includes(pid)),
      {
        what: 'nginx to take its new configuration',
        everyMs: 10,
        found: () => readFileSync(at('error.log'), 'utf8'),
      },
    );
  };
  await start();
  const close = async () => {
    await stop();
    await cgi.close();
    temp[Symbol.dispose]();
  };
  return {
    port,
    url: (path = '', host = 'localhost') => `${wanted.tls ? 'https' : 'http'}://${host}:${port}/${path}`,
    ca: authority.cert,
    client,
    answer: (answer) => change({ answer }),
    setCredentials: (basicAuth) => change({ basicAuth }),
    setCertificate: (tls) => change({ tls }),
    requests: () => readLog(at('access.log')).slice(seen),
    forget: () => {
      seen = readLog(at('access.log')).length;
    },
    start,
    stop,
    close,
    [Symbol.asyncDispose]: close,
  };
}

interface Wanted {
  readonly answer: Answer;
  readonly tls: Certificate | null;
  readonly basicAuth: Credentials | null;
  readonly generation: number;
}

async function issueAll(
  authority: Authority,
  folder: string,
  tls: boolean,
): Promise<Record<Certificate, KeyPair>> {
  const hosts = ['localhost', '127.0.0.1'];
  if (!tls) return {} as Record<Certificate, KeyPair>;
  const stranger = await createAuthority(folder, 'stranger');
  return {
    good: await authority.issue('good', { hosts }),
    expired: await authority.issue('expired', { hosts, expired: true }),
    'wrong-name': await authority.issue('wrong-name', { hosts: ['elsewhere.example'] }),
    'unknown-authority': await stranger.issue('unknown-authority', { hosts }),
  };
}

interface Configuration extends Wanted {
  readonly at: (name: string) => string;
  readonly port: number;
  readonly backend: string;
  readonly folder: string;
  readonly connections: number;
  readonly bodyMax: string;
  readonly pair: KeyPair | null;
  readonly ca: string | null;
}

function configuration(c: Configuration): string {
  const scratch = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (use) => `${use}_temp_path ${c.at('scratch')}/${use};`,
  );
  const fields = {
    method: '$request_method',
    uri: '$request_uri',
    authorization: '$http_authorization',
    gitProtocol: '$http_git_protocol',
    agent: '$http_user_agent',
  };
  const logged = Object.entries(fields).map(([name, variable]) => `"${name}":"${variable}"`);
  return `
daemon off;
worker_processes 1;
worker_shutdown_timeout 1s;
pid ${c.at('nginx.pid')};
${process.getuid?.() === 0 ? 'user root;' : ''}
error_log ${c.at('error.log')};
events { worker_connections ${c.connections}; }
http {
  ${scratch.join('\n  ')}
  log_format json escape=json '{${logged.join(',')},"status":$status,"connection":$connection,"bytes":$bytes_sent}';
  access_log ${c.at('access.log')} json;
  default_type text/plain;
  client_max_body_size ${c.bodyMax};
  keepalive_timeout 75s;
  server {
    listen 127.0.0.1:${c.port}${c.pair ? ' ssl' : ''};
    server_name localhost;
    ${c.pair ? `ssl_certificate ${c.pair.cert}; ssl_certificate_key ${c.pair.key};` : ''}
    ${c.ca ? `ssl_client_certificate ${c.ca}; ssl_verify_client on;` : ''}
    location / {
      ${c.basicAuth ? `auth_basic "git"; auth_basic_user_file ${c.at('passwords')};` : ''}
      ${answerLines(c)}
    }
  }
}
`;
}

function answerLines({ answer, backend, folder, at }: Configuration): string {
  if (answer === 'git') {
    const parameters = {
      SCRIPT_FILENAME: backend,
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: '""',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_NOSYSTEM: '1',
      PATH_INFO: '$uri',
      QUERY_STRING: '$query_string',
      REQUEST_METHOD: '$request_method',
      CONTENT_TYPE: '$content_type',
      CONTENT_LENGTH: '$content_length',
      REMOTE_USER: '$remote_user',
      REMOTE_ADDR: '$remote_addr',
    };
    const lines = Object.entries(parameters).map(([name, value]) => `fastcgi_param ${name} ${value};`);
    return [...lines, `fastcgi_pass unix:${at('cgi.sock')};`].join('\n      ');
  }
  if ('redirect' in answer)
    return `return ${answer.status ?? 301} ${answer.redirect.replace(/\/$/, '')}$request_uri;`;
  const retryAfter =
    answer.retryAfter === undefined ? '' : `add_header Retry-After "${answer.retryAfter}" always;`;
  const type = answer.type === undefined ? '' : `default_type ${answer.type};`;
  const body = answer.body === undefined ? '' : ` "${answer.body.replace(/["\\$]/g, '')}"`;
  return `${retryAfter} ${type} return ${answer.status}${body};`;
}

function workersOf(master: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && readProcessStat(pid)?.parent === master);
}

function readLog(file: string): Request[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Request);
}
