/** Which git is this? Asked once per process and PATH. */
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { runGit } from './run.ts';
import { readable, troubleFromError, troubleFromGit } from './stderr.ts';

/** Protocol v2 with `ls-refs` prefixes, partial clones and `--end-of-options`-free option parsing that we rely on. */
const FLOOR: GitVersion = [2, 20];

export type GitVersion = readonly [major: number, minor: number];

/** The major and minor number in the answer of `git version`; null when it holds none. */
export function parseGitVersion(text: string): GitVersion | null {
  const match = /^git version (\d+)\.(\d+)/m.exec(text);
  return match ? [Number(match[1]), Number(match[2])] : null;
}

export function isAtLeast(version: GitVersion, wanted: GitVersion): boolean {
  return version[0] > wanted[0] || (version[0] === wanted[0] && version[1] >= wanted[1]);
}

/** The version of the git on this PATH, or why it cannot be used (`git-missing`, `git-too-old`). */
export async function readGitVersion(env: Readonly<Record<string, string>>): Promise<Result<GitVersion>> {
  const context = { doing: 'say its version' };
  try {
    const result = await runGit(['version'], { timeoutMs: 30_000, env });
    if (result.ended !== 'exited' || result.exitCode !== 0) return fail(troubleFromGit(result, context));
    const text = result.stdout.toString();
    const version = parseGitVersion(text);
    if (version === null) {
      const found = readable(text.slice(0, 80));
      return fail(
        trouble('git-missing', `expected the version of git, found "${found}"`, {
          hint: 'check that `git --version` works for this user',
        }),
      );
    }
    if (isAtLeast(version, FLOOR)) return ok(version);
    return fail(
      trouble('git-too-old', `expected git ${FLOOR.join('.')} or newer, found ${version.join('.')}`, {
        hint: 'install a newer git',
      }),
    );
  } catch (error) {
    const problem = troubleFromError(error, context);
    if (problem) return fail(problem);
    throw error;
  }
}
