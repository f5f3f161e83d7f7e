/** Git as the person (or script) that called us would run it: their configuration, their credentials, their filters. Never prompts. */
import { fail, ok, type Result } from '../model/trouble.ts';
import { type ExecResult, exec } from '../system/exec.ts';
import { troubleFromError, troubleFromGit } from './stderr.ts';

export interface UserGitOptions {
  readonly cwd: string;
  /** The caller's environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** On top of it. */
  readonly more?: Readonly<Record<string, string>>;
  /** Default one minute. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** They would lead a git that was called by a hook back to the repository of the hook. */
const OF_ANOTHER_REPOSITORY = new Set([
  'GIT_DIR',
  'GIT_WORK_TREE',
  'GIT_INDEX_FILE',
  'GIT_OBJECT_DIRECTORY',
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_COMMON_DIR',
  'GIT_PREFIX',
  'GIT_NAMESPACE',
]);

/** A git that exits non-zero is a result. @throws PullyuError `program-missing`. */
export function runUserGit(args: readonly string[], o: UserGitOptions): Promise<ExecResult> {
  return exec(['git', ...args], {
    cwd: o.cwd,
    env: { ...userEnvironment(o.env), ...o.more },
    timeoutMs: o.timeoutMs ?? 60_000,
    ...(o.signal === undefined ? {} : { signal: o.signal }),
  });
}

/** Standard output of a git that succeeded, without its last newline. @param doing To continue "git could not ...". */
export async function readUserGit(
  args: readonly string[],
  o: UserGitOptions & { readonly doing: string },
): Promise<Result<string>> {
  try {
    const result = await runUserGit(args, o);
    if (result.ended === 'exited' && result.exitCode === 0)
      return ok(result.stdout.toString('utf8').replace(/\n$/, ''));
    return fail(troubleFromGit(result, { doing: o.doing }));
  } catch (error) {
    const problem = troubleFromError(error, { doing: o.doing });
    if (problem === null) throw error;
    return fail(problem);
  }
}

function userEnvironment(env: UserGitOptions['env']): Record<string, string> {
  const own = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !OF_ANOTHER_REPOSITORY.has(entry[0]),
  );
  return { ...Object.fromEntries(own), LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0' };
}
