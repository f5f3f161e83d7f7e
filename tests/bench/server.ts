/** The git server of the figures: nginx with git-http-backend where it can be had, else the one of the demo. */
import { subscribe } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import { startGitServer } from '../../src/demo/git-server.ts';
import { findProgram } from '../support/needs.ts';
import { startNginx } from '../support/nginx.ts';

export interface BenchServer extends AsyncDisposable {
  readonly name: string;
  url(path: string): string;
  /** How many requests for this repository came so far from programs whose User-Agent begins so. */
  requests(path: string, agent: string): number;
}

export async function startServer(folder: string): Promise<BenchServer> {
  const isRoot = process.getuid?.() === 0;
  if (isRoot && findProgram('nginx') !== null && findProgram('fcgiwrap') !== null) return startReal(folder);
  const server = await startGitServer({ folder });
  const seen: { uri: string; agent: string }[] = [];
  subscribe('http.server.request.start', (message) => {
    const { request } = message as { request: IncomingMessage };
    seen.push({ uri: request.url ?? '', agent: request.headers['user-agent'] ?? '' });
  });
  return {
    name: 'the small server of `pullyu demo` with git http-backend (nginx needs root and `node scripts/debian.mjs`)',
    url: (path) => server.url(path),
    requests: (path, agent) => countOf(seen, path, agent),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

async function startReal(folder: string): Promise<BenchServer> {
  const nginx = await startNginx({ folder });
  return {
    name: "Debian's nginx with fcgiwrap and git http-backend",
    url: (path) => nginx.url(path, '127.0.0.1'),
    requests: (path, agent) => countOf(nginx.requests(), path, agent),
    [Symbol.asyncDispose]: () => nginx.close(),
  };
}

function countOf(requests: readonly { uri: string; agent: string }[], path: string, agent: string): number {
  return requests.filter((one) => one.uri.startsWith(`/${path}/`) && one.agent.startsWith(agent)).length;
}
