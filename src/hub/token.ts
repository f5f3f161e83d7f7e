/** Who may do what: tokens, as they are kept. The secret itself is never kept, only its hash. Pure but for randomness. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * `read`: clone and fetch. `write`: push too. `status`: fetch, and push only the refs that one host writes in a status repository.
 */
export type Scope = 'read' | 'write' | 'status';
export const SCOPES: readonly Scope[] = ['read', 'write', 'status'];

export interface Token {
  /** Public: names the token in lists and logs. */
  readonly id: string;
  /** SHA-256 of the secret, hex. 256 random bits need no slow hash. */
  readonly hash: string;
  readonly scope: Scope;
  /** Names of repositories, or `*` for all. */
  readonly repos: readonly string[];
  /** Of `status`: whose refs. */
  readonly host: string | null;
  /** Milliseconds since 1970; null: never. */
  readonly expiresAt: number | null;
  readonly createdAt: number;
  readonly note: string;
}

const SHAPE = /^pyu_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/;

/** @returns the token to keep, and the text to hand over once. */
export function makeToken(o: Omit<Token, 'id' | 'hash'>): { readonly token: Token; readonly text: string } {
  const id = randomBytes(6).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  return { token: { id, hash: hashOf(secret), ...o }, text: `pyu_${id}_${secret}` };
}

/** The token that a text proves, whatever it may do; null when it is none of these, or has expired. */
export function recognizeToken(text: string, tokens: ReadonlyMap<string, Token>, now: number): Token | null {
  const match = SHAPE.exec(text);
  const token = match === null ? undefined : tokens.get(match[1]!);
  if (match === null || token === undefined) return null;
  const isRight = timingSafeEqual(Buffer.from(hashOf(match[2]!), 'hex'), Buffer.from(token.hash, 'hex'));
  return isRight && (token.expiresAt === null || now < token.expiresAt) ? token : null;
}

/** Every token may read its repositories. */
export function mayRead(token: Token, repository: string): boolean {
  return token.repos.includes('*') || token.repos.includes(repository);
}

/** `some`: the refs of the push have to be looked at. */
export function mayPush(token: Token, repository: string): 'all' | 'some' | 'none' {
  if (!mayRead(token, repository) || token.scope === 'read') return 'none';
  return token.scope === 'write' ? 'all' : 'some';
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
