/** `pullyu hub token create | list | revoke`. */
import { parseDuration } from '../config/duration.ts';
import { EXIT, type ExitCode, PullyuError } from '../errors.ts';
import { isRepositoryName } from '../hub/route.ts';
import { makeToken, SCOPES, type Scope, type Token } from '../hub/token.ts';
import { changeTokens, readTokens } from '../hub/token-file.ts';
import { printable } from '../model/printable.ts';
import { isRefName } from '../presence/git-refs.ts';
import type { CommandContext } from './context.ts';
import { reposFolder } from './hub.ts';
import { formatTable } from './terminal.ts';

interface Common {
  readonly repos: string;
  readonly json?: boolean;
}

export interface TokenCreateOptions extends Common {
  readonly scope: string;
  readonly repo: readonly string[];
  readonly host?: string;
  readonly expires: string;
  readonly note: string;
}

export async function runTokenCreate(o: TokenCreateOptions, context: CommandContext): Promise<ExitCode> {
  const repos = reposFolder(o.repos, context);
  const scope = parseScope(o.scope);
  for (const name of o.repo) checkRepo(name);
  const host = parseHost(scope, o.host);
  const now = context.clock.now();
  const expiresAt = o.expires === 'never' ? null : now + parseLife(o.expires);
  const { token, text } = makeToken({ scope, repos: o.repo, host, expiresAt, createdAt: now, note: o.note });
  changeTokens(repos, (tokens) => [...tokens, token]);
  if (o.json) context.out.json({ ...shownOf(token, now), token: text });
  else {
    context.out.line(text);
    context.out.notice(
      `${token.id}: ${sentenceOf(token)}. It is shown this once: keep it where secrets are kept.`,
    );
  }
  return EXIT.ok;
}

export async function runTokenList(o: Common, context: CommandContext): Promise<ExitCode> {
  const now = context.clock.now();
  const tokens = readTokens(reposFolder(o.repos, context));
  if (o.json) context.out.json({ tokens: tokens.map((token) => shownOf(token, now)) });
  else if (tokens.length === 0) context.out.line('there are no tokens');
  else {
    const rows = tokens.map((token) => [
      token.id,
      sentenceOf(token),
      stateOf(token, now),
      printable(token.note),
    ]);
    for (const line of formatTable(rows)) context.out.line(line);
  }
  return EXIT.ok;
}

export async function runTokenRevoke(id: string, o: Common, context: CommandContext): Promise<ExitCode> {
  const repos = reposFolder(o.repos, context);
  let gone: Token | undefined;
  changeTokens(repos, (tokens) => {
    gone = tokens.find((token) => token.id === id);
    return tokens.filter((token) => token.id !== id);
  });
  if (gone === undefined) {
    throw new PullyuError('usage', `expected the id of a token, found ${JSON.stringify(id)}`, {
      hint: `pullyu hub token list --repos ${o.repos} shows them; the id is the middle part of pyu_ID_SECRET`,
    });
  }
  if (o.json) context.out.json(shownOf(gone, context.clock.now()));
  else context.out.line(`${gone.id} is revoked: ${sentenceOf(gone)}`);
  return EXIT.ok;
}

function parseScope(text: string): Scope {
  const scope = SCOPES.find((one) => one === text);
  if (scope !== undefined) return scope;
  throw new PullyuError('usage', `expected ${SCOPES.join(', ')} for --scope, found ${JSON.stringify(text)}`);
}

function checkRepo(name: string): void {
  if (name === '*' || isRepositoryName(name)) return;
  throw new PullyuError(
    'usage',
    `expected the name of a repository for --repo, found ${JSON.stringify(name)}`,
    {
      hint: "as in its URL without .git, such as it or team/it; '*' means all",
    },
  );
}

function parseHost(scope: Scope, text: string | undefined): string | null {
  if (scope !== 'status') {
    if (text === undefined) return null;
    throw new PullyuError('usage', `expected --host only with --scope status, found --scope ${scope}`);
  }
  if (text !== undefined && isRefName(text)) return text;
  throw new PullyuError(
    'usage',
    `expected the name of a host for --host, found ${JSON.stringify(text ?? 'none')}`,
    {
      hint: 'a token of scope status belongs to one host: it may push only the refs of that host',
    },
  );
}

function parseLife(text: string): number {
  const ms = parseDuration(text);
  if (ms !== null && ms > 0) return ms;
  throw new PullyuError('usage', `expected a duration for --expires, found ${JSON.stringify(text)}`, {
    hint: 'such as 12h, 30d, 365d, or never',
  });
}

function sentenceOf(token: Token): string {
  const where = token.repos.join(', ');
  return token.scope === 'status' ? `status of ${token.host} in ${where}` : `${token.scope} ${where}`;
}

function stateOf(token: Token, now: number): string {
  if (token.expiresAt === null) return 'never expires';
  const date = new Date(token.expiresAt).toISOString().replace(/:\d\d\.\d+Z$/, 'Z');
  return `${now < token.expiresAt ? 'until' : 'expired'} ${date}`;
}

function shownOf(token: Token, now: number) {
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return {
    id: token.id,
    scope: token.scope,
    repos: token.repos,
    host: token.host,
    expiresAt: time(token.expiresAt),
    expired: token.expiresAt !== null && now >= token.expiresAt,
    createdAt: time(token.createdAt),
    note: token.note,
  };
}
