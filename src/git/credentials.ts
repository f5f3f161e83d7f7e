/** User name and password for a remote, from a file that is read at every use. */
import { readFileSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { hostWithPort, type RemoteUrl } from './remote-url.ts';

export interface Credential {
  readonly username: string;
  readonly password: string;
}

/** Goes with a bare token: servers that know tokens look at the password only. */
export const DEFAULT_USERNAME = 'git';

const FILE_MAX_BYTES = 256 * 1024;

/**
 * The credential for `url` out of a credentials file's text. Three formats, told apart by their first line:
 * lines `https://user:password@host[:port][/path]` (git's own, percent-encoded; the longest path that fits wins);
 * lines `username=…` and `password=…`; or a single line that is a token. Empty lines and `#` lines are skipped.
 * @returns null when the file holds none for this URL; `malformed` says why it cannot be used at all, without content.
 */
export function parseCredentials(
  text: string,
  url: RemoteUrl,
): { credential: Credential | null } | { malformed: string } {
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const first = lines[0];
  if (first === undefined) return { malformed: 'it is empty' };
  if (/^[a-z]+:\/\//i.test(first)) return { credential: fromUrlLines(lines, url) };
  if (/^(username|password)=/.test(first)) return fromKeyLines(lines);
  if (lines.length > 1)
    return { malformed: 'several lines, of which the first is neither a URL nor username=' };
  if (/\s/.test(first)) return { malformed: 'a line with spaces in it' };
  return checked({ username: DEFAULT_USERNAME, password: first });
}

function fromUrlLines(lines: readonly string[], url: RemoteUrl): Credential | null {
  let best: { credential: Credential; pathLength: number } | null = null;
  for (const line of lines) {
    if (!URL.canParse(line)) continue;
    const entry = new URL(line);
    if (entry.protocol !== `${url.protocol}:` || entry.host !== hostWithPort(url)) continue;
    const path = entry.pathname.replace(/\/+$/, '');
    if (path !== '' && url.path !== path && !url.path.startsWith(`${path}/`)) continue;
    if (best !== null && path.length <= best.pathLength) continue;
    const credential = decoded(entry.username, entry.password);
    if (credential !== null) best = { credential, pathLength: path.length };
  }
  return best?.credential ?? null;
}

function decoded(username: string, password: string): Credential | null {
  try {
    const credential = { username: decodeURIComponent(username), password: decodeURIComponent(password) };
    return 'credential' in checked(credential) ? credential : null;
  } catch {
    return null; // A stray percent sign: not an entry that anybody could use.
  }
}

function fromKeyLines(lines: readonly string[]): { credential: Credential } | { malformed: string } {
  const value = (key: string) => lines.find((line) => line.startsWith(`${key}=`))?.slice(key.length + 1);
  const password = value('password');
  if (password === undefined) return { malformed: 'username= without password=' };
  return checked({ username: value('username') ?? DEFAULT_USERNAME, password });
}

/** Control characters would end a line of git's credential protocol and begin another. */
function checked(credential: Credential): { credential: Credential } | { malformed: string } {
  const bad = /\p{Cc}/u;
  if (bad.test(credential.username) || bad.test(credential.password)) {
    return { malformed: 'control characters' };
  }
  return { credential };
}

/** The text of a credentials file. What is wrong with it is told without a byte of it. */
function readCredentialsFile(file: string): Result<string> {
  try {
    const text = readFileSync(file, 'utf8');
    if (text.length <= FILE_MAX_BYTES) return ok(text);
    return unusable(file, 'more than 256 KiB');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EACCES' || errno === 'EPERM') {
      return fail(
        trouble('no-permission', `expected to read the credentials file ${file}, found no permission to`, {
          hint: 'give it to the user that the agent runs as, with mode 0600',
        }),
      );
    }
    return unusable(
      file,
      errno === 'ENOENT' ? 'no such file' : `an error of reading it (${errno ?? 'unknown'})`,
    );
  }
}

/** @returns null when the file is fine and holds nothing for this URL. */
export function readFileCredential(file: string, url: RemoteUrl): Result<Credential | null> {
  const text = readCredentialsFile(file);
  if (!text.ok) return text;
  const parsed = parseCredentials(text.value, url);
  return 'malformed' in parsed ? unusable(file, parsed.malformed) : ok(parsed.credential);
}

function unusable(file: string, found: string): Result<never> {
  return fail(
    trouble('auth-refused', `expected credentials in ${file}, found ${found}`, {
      hint: 'write lines "https://user:password@host", or username= and password= lines, or one token into it',
    }),
  );
}
