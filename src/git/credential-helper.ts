/** Asks a git credential helper, through git itself, which knows every way to name one. */
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { helperEnvironment } from './access.ts';
import type { Credential } from './credentials.ts';
import { hostWithPort, type RemoteUrl } from './remote-url.ts';
import { runGit } from './run.ts';
import { troubleFromError } from './stderr.ts';

/**
 * What the helper answers for `url`. We never tell it to store or to erase anything.
 * @returns a trouble `auth-refused` when it answers nothing.
 */
export async function askCredentialHelper(
  helper: string,
  url: RemoteUrl,
  o: {
    env: Readonly<Record<string, string | undefined>>;
    timeoutMs: number;
    signal?: AbortSignal | undefined;
  },
): Promise<Result<Credential>> {
  const question = [
    `protocol=${url.protocol}`,
    `host=${hostWithPort(url)}`,
    `path=${url.path.slice(1)}`,
    '',
    '',
  ];
  try {
    const result = await runGit(['credential', 'fill'], {
      config: ['credential.helper=', `credential.helper=${helper}`],
      env: helperEnvironment(o.env),
      input: question.join('\n'),
      timeoutMs: Math.max(1, o.timeoutMs),
      maxOutputBytes: 256 * 1024,
      ...(o.signal === undefined ? {} : { signal: o.signal }),
    });
    const lines = result.exitCode === 0 ? result.stdout.toString('utf8').split('\n') : [];
    const value = (key: string) => lines.find((line) => line.startsWith(`${key}=`))?.slice(key.length + 1);
    const [username, password] = [value('username'), value('password')];
    if (username !== undefined && password !== undefined) return ok({ username, password });
  } catch (error) {
    const known = troubleFromError(error, { doing: 'ask the credential helper', remote: url.text });
    if (known === null) throw error;
    return fail(known);
  }
  return fail(
    trouble('auth-refused', `expected a credential for ${hostWithPort(url)} from the helper, found none`, {
      hint: 'run `git credential fill` with this helper by hand, as the user that the agent runs as',
      remote: url.text,
    }),
  );
}
