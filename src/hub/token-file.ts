/** Where the hub keeps its tokens: one file below the folder of the repositories, read again whenever it has changed. */
import { join } from 'node:path';
import { PullyuError } from '../errors.ts';
import { stampOfFile } from '../system/file-stamp.ts';
import { makeFolder, namedWriteError, readFileOrNull, writeFileAtomic } from '../system/files.ts';
import { type Lock, tryLock } from '../system/lock.ts';
import { isRepositoryName } from './route.ts';
import { SCOPES, type Token } from './token.ts';

/** No repository can have this name. */
const FOLDER = '.pullyu-hub';
const VERSION = 1;
/** A look-up, and so a revocation, is never older. */
const CHECK_EVERY_MS = 100;

export interface TokenSource {
  /**
   * By id. @param asItIsNow Look at the file in any case: a token that is not known may have been made this moment.
   * @throws PullyuError when the file is there and cannot be read: nobody is let in then.
   */
  tokens(asItIsNow?: boolean): ReadonlyMap<string, Token>;
}

/** Of the hub's own things, below the folder of the repositories. */
export function hubFolder(repos: string): string {
  return join(repos, FOLDER);
}

function tokenFile(repos: string): string {
  return join(hubFolder(repos), 'tokens.json');
}

/** @param monotonic Milliseconds that only grow. */
export function createTokenSource(repos: string, monotonic: () => number): TokenSource {
  const path = tokenFile(repos);
  let known: { readonly stamp: string; readonly tokens: ReadonlyMap<string, Token> } | null = null;
  let nextCheckAt = 0;
  return {
    tokens(asItIsNow = false) {
      const now = monotonic();
      if (known !== null && now < nextCheckAt && !asItIsNow) return known.tokens;
      const stamp = stampOfFile(path);
      if (known === null || known.stamp !== stamp) {
        known = null;
        known = { stamp, tokens: new Map(readTokens(repos).map((token) => [token.id, token])) };
      }
      nextCheckAt = now + CHECK_EVERY_MS;
      return known.tokens;
    },
  };
}

/** No file: no tokens. @throws PullyuError */
export function readTokens(repos: string): Token[] {
  const path = tokenFile(repos);
  const text = readFileOrNull(path);
  if (text === null) return [];
  const tokens = parseTokens(text);
  if (tokens !== null) return tokens;
  throw new PullyuError('refused', `expected a list of tokens in ${path}, found something else`, {
    hint: 'restore it from a backup, or remove it and make new tokens; nobody is let in until then',
  });
}

/** null for anything that this version has not written. */
export function parseTokens(text: string): Token[] | null {
  try {
    const file = JSON.parse(text) as { version?: unknown; tokens?: unknown } | null;
    if (file?.version !== VERSION || !Array.isArray(file.tokens)) return null;
    return file.tokens.every(isToken) ? file.tokens : null;
  } catch {
    return null;
  }
}

export function formatTokens(tokens: readonly Token[]): string {
  return `${JSON.stringify({ version: VERSION, tokens }, null, 2)}\n`;
}

/**
 * Changes the list; two who do so at the same time do not lose each other's change. A crash leaves the old list or the new one.
 * @throws PullyuError `busy` when somebody else is at it for longer than that takes.
 */
export function changeTokens(repos: string, change: (tokens: readonly Token[]) => readonly Token[]): void {
  const path = tokenFile(repos);
  try {
    makeFolder(hubFolder(repos), 0o700);
    const lock = takeLock(`${path}.lock`);
    try {
      writeFileAtomic(path, formatTokens(change(readTokens(repos))), { mode: 0o600 });
    } finally {
      lock.release();
    }
  } catch (error) {
    throw namedWriteError(error, path) ?? error;
  }
}

const TRIES = 200;

function takeLock(path: string): Lock {
  for (let n = 0; n < TRIES; n += 1) {
    const lock = tryLock(path, 'hub token');
    if (lock !== null) return lock;
    // Whoever holds it writes one small file.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  }
  throw new PullyuError('busy', 'expected to change the tokens, found another pullyu at it', {
    hint: 'call it again',
  });
}

function isToken(value: unknown): value is Token {
  if (typeof value !== 'object' || value === null) return false;
  const token = value as Record<keyof Token, unknown>;
  const isTime = (time: unknown) => typeof time === 'number' && Number.isFinite(time);
  return (
    typeof token.id === 'string' &&
    /^[0-9a-f]{12}$/.test(token.id) &&
    typeof token.hash === 'string' &&
    /^[0-9a-f]{64}$/.test(token.hash) &&
    SCOPES.some((scope) => scope === token.scope) &&
    Array.isArray(token.repos) &&
    token.repos.every((name) => name === '*' || (typeof name === 'string' && isRepositoryName(name))) &&
    (token.host === null || typeof token.host === 'string') &&
    (token.expiresAt === null || isTime(token.expiresAt)) &&
    isTime(token.createdAt) &&
    typeof token.note === 'string'
  );
}
