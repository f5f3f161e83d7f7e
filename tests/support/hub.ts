/** A hub of the test's own, in this process, over bare repositories of its own. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createHub, type HubOptions } from '../../src/hub/hub.ts';
import type { HubEvent } from '../../src/hub/hub-event.ts';
import { type ServeOptions, serve } from '../../src/hub/serve.ts';
import { makeToken, type Token } from '../../src/hub/token.ts';
import { changeTokens } from '../../src/hub/token-file.ts';
import { git } from './git.ts';
import { tempFolder } from './temp.ts';

export interface TestHub extends AsyncDisposable {
  /** A folder for clones and the like, beside the repositories. */
  readonly folder: string;
  readonly repos: string;
  readonly port: number;
  readonly events: HubEvent[];
  /** `token`: its text goes into the URL, as the password. */
  url(path?: string, token?: string): string;
  createRepository(name: string, ...more: string[]): Promise<string>;
  /** The text of a new one; `write` on everything, unless something else is said. */
  token(o?: Partial<Omit<Token, 'id' | 'hash'>>): string;
  connections(): number;
  close(withinMs?: number): Promise<void>;
}

export async function startHub(
  o: Partial<Omit<HubOptions, 'repos'>> & { readonly serve?: Partial<ServeOptions> } = {},
): Promise<TestHub> {
  const temp = tempFolder('hub');
  const repos = join(temp.path, 'repos');
  mkdirSync(repos);
  const events: HubEvent[] = [];
  const { serve: serving = {}, ...options } = o;
  const hub = createHub({ repos, anonymousRead: true, tell: (event) => events.push(event), ...options });
  const server = await serve(hub, { host: '127.0.0.1', port: 0, tls: null, ...serving });
  let closing: Promise<void> | null = null;
  const close = (withinMs = 5_000) => {
    closing ??= server.close(withinMs);
    return closing;
  };
  return {
    folder: temp.path,
    repos,
    port: server.port,
    events,
    url: (path = '', token) =>
      `http://${token === undefined ? '' : `any:${token}@`}127.0.0.1:${server.port}/${path}`,
    async createRepository(name, ...more) {
      const bare = join(repos, `${name}.git`);
      await git(['init', '--quiet', '--bare', '--initial-branch=main', ...more, bare]);
      return bare;
    },
    token(given = {}) {
      const { token, text } = makeToken({
        scope: 'write',
        repos: ['*'],
        host: null,
        expiresAt: null,
        createdAt: 0,
        note: '',
        ...given,
      });
      changeTokens(repos, (tokens) => [...tokens, token]);
      return text;
    },
    connections: () => server.connections(),
    close,
    async [Symbol.asyncDispose]() {
      await close(0);
      temp[Symbol.dispose]();
    },
  };
}
