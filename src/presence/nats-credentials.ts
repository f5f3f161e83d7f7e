/** The credentials of NATS: one file, three forms, read at each connection so that it can be renewed under a running agent. */
import { readFileSync, statSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';

export type NatsSecret =
  /** A .creds file of NATS, as it is: a JWT and the seed that signs for it. */
  | { readonly kind: 'creds'; readonly text: string }
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  | { readonly kind: 'token'; readonly token: string };

const MAX_BYTES = 64 * 1024;
const EXPECTED = 'expected a .creds file of NATS, lines username= and password=, or one token';

/** null: the text is none of the three forms. */
export function parseNatsSecret(text: string): NatsSecret | null {
  if (text.includes('-----BEGIN NATS USER JWT-----')) return { kind: 'creds', text };
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const valueFor = (key: string) => {
    const line = lines.find((one) => one.startsWith(`${key}=`));
    return line === undefined ? null : line.slice(key.length + 1);
  };
  const user = valueFor('username');
  const password = valueFor('password');
  if (user !== null && password !== null) return { kind: 'password', user, password };
  const [token, ...more] = lines;
  const isToken = token !== undefined && more.length === 0 && user === null && password === null;
  return isToken && !/\s/.test(token) ? { kind: 'token', token } : null;
}

/** What it says never stands in a message. @param file null: the servers ask for nothing. */
export function readNatsSecret(file: string | null): Result<NatsSecret | null> {
  if (file === null) return ok(null);
  const wrong = (found: string, hint: string) =>
    fail(trouble('auth-refused', `${EXPECTED} in ${file}, found ${found}`, { hint }));
  let text: string;
  try {
    if (statSync(file).size > MAX_BYTES) return wrong('a larger file', 'check `credentials` of nats');
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return wrong(`none (${errnoOf(error) ?? 'error'})`, 'put the file there, readable for the agent');
  }
  const secret = parseNatsSecret(text);
  return secret === null ? wrong('something else', 'check what is in the file') : ok(secret);
}
