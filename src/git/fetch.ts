/** One `git fetch` into a private reference: what it is told, what it says meanwhile, when it is ended. */
import type { EventSink } from '../model/event.ts';
import type { Limits } from '../model/host.ts';
import { type CommitId, isCommitId } from '../model/ids.ts';
import { fail, ok, type Result, type Trouble, trouble } from '../model/trouble.ts';
import type { Clock } from '../system/clock.ts';
import type { ExecResult } from '../system/exec.ts';
import { largestPartialPack, readLooseRef } from './clone-files.ts';
import type { ProbeAnswer } from './probe.ts';
import { type GitOptions, runGit } from './run.ts';
import { readable, troubleFromGit } from './stderr.ts';

/** Where a fetch puts what it got. Only ever ours: no remote can name it. */
export const INCOMING = 'refs/pullyu/incoming';
export const TARGET = 'refs/pullyu/target';
const ALL = 'refs/pullyu/all';

/** A first clone goes on for as long as it makes progress, but not for ever. */
const FIRST_MAX_MS = 12 * 60 * 60_000;

/**
 * What fsck says about the content of commits and trees must not end a fetch: one bad commit would then stop all later
 * ones, the fix included. The scan of the tree refuses what is dangerous, by name, before anything is written.
 */
const ONLY_WARN = [
  'badDate badDateOverflow badEmail badFilemode badName badTimezone badTagName',
  'emptyName fullPathname hasDot hasDotdot hasDotgit nullSha1',
  'gitattributesLarge gitattributesLineLength gitattributesBlob gitattributesMissing gitattributesSymlink',
  'gitignoreSymlink gitmodulesBlob gitmodulesLarge gitmodulesMissing gitmodulesName gitmodulesParse gitmodulesPath',
  'gitmodulesSymlink gitmodulesUpdate gitmodulesUrl mailmapSymlink',
  'duplicateEntries treeNotSorted missingEmail missingNameBeforeEmail missingSpaceBeforeDate missingSpaceBeforeEmail',
  'missingTaggerEntry missingAuthor missingCommitter multipleAuthors nulInCommit',
  'zeroPaddedDate zeroPaddedFilemode',
]
  .flatMap((line) => line.split(' '))
  .map((id) => `fetch.fsck.${id}=warn`);

export interface FetchOptions {
  readonly repo: string;
  readonly limits: Limits;
  readonly emit: EventSink;
  readonly clock: Clock;
  /** A first clone: progress is shown, and only a stall ends it. */
  readonly first: boolean;
  readonly blobless: boolean;
  readonly git: Pick<GitOptions, 'access' | 'env' | 'signal'>;
}

/**
 * Brings the commit of the answer (or what the remote has by now under that name) into `gitDir`.
 * @returns the commit that the tracked ref has there, tags peeled.
 */
export async function fetchInto(
  gitDir: string,
  answer: ProbeAnswer,
  o: FetchOptions,
): Promise<Result<CommitId>> {
  const byId = isCommitId(answer.ref);
  const first = await fetchOnce(gitDir, answer.url, `+${answer.ref}:${INCOMING}`, o);
  // Git has been seen to succeed over missing commits of its own.
  const damaged = /^error: Could not read [0-9a-f]{40}/im.test(first.stderr);
  if (isSuccess(first) && !damaged) return resolveIncoming(gitDir, answer, o);
  const problem = fetchTrouble(gitDir, answer, first, o);
  if (!byId || problem.code !== 'ref-missing') return fail(problem);

  // A server that gives no commit by its id: it must be below some branch or tag.
  const all = [`+refs/heads/*:${ALL}/heads/*`, `+refs/tags/*:${ALL}/tags/*`];
  const second = await fetchOnce(gitDir, answer.url, all, o);
  if (!isSuccess(second)) return fail(fetchTrouble(gitDir, answer, second, o));
  const found = await runGit(['cat-file', '-e', `${answer.commit}^{commit}`], {
    ...o.git,
    gitDir,
    timeoutMs: 60_000,
  });
  if (isSuccess(found)) return ok(answer.commit);
  return fail(
    trouble(
      'ref-missing',
      `expected the commit ${answer.commit} in the remote, found no branch or tag that has it`,
      {
        remote: answer.url,
        hint: 'push a branch that contains it, or track something else',
      },
    ),
  );
}

/** A pack that hit the limit ends index-pack without a word: its size tells. */
function fetchTrouble(gitDir: string, answer: ProbeAnswer, result: ExecResult, o: FetchOptions): Trouble {
  if (largestPartialPack(gitDir) < o.limits.fetchMaxBytes) {
    return troubleFromGit(result, { doing: 'fetch', remote: answer.url });
  }
  return trouble('limit', `expected at most ${o.limits.fetchMaxBytes} bytes in one pack, found more`, {
    remote: answer.url,
    hint: 'raise limits.fetchMax in host.yaml when the repository may be this large',
  });
}

function fetchOnce(
  gitDir: string,
  url: string,
  refspecs: string | readonly string[],
  o: FetchOptions,
): Promise<ExecResult> {
  const args = ['fetch', '--no-tags', '--progress', ...(o.blobless ? ['--filter=blob:none'] : [])];
  // By a name and not by the URL: promisor packs belong to a name.
  return runGit([...args, 'origin', ...[refspecs].flat()], {
    ...o.git,
    gitDir,
    lazyFetch: o.blobless,
    config: [`remote.origin.url=${url}`, ...ONLY_WARN],
    fileMaxBytes: o.limits.fetchMaxBytes,
    timeoutMs: o.first ? Math.max(FIRST_MAX_MS, o.limits.fetchTimeoutMs) : o.limits.fetchTimeoutMs,
    stallMs: o.limits.fetchStallMs,
    ...(o.first ? { onStderr: showProgress(o) } : {}),
  });
}

/** What was fetched may be newer than what the probe saw: the remote goes on. */
async function resolveIncoming(
  gitDir: string,
  answer: ProbeAnswer,
  o: FetchOptions,
): Promise<Result<CommitId>> {
  if (readLooseRef(gitDir, INCOMING) === answer.commit) return ok(answer.commit);
  const result = await runGit(['rev-parse', '--verify', `${INCOMING}^{commit}`], {
    ...o.git,
    gitDir,
    timeoutMs: 60_000,
  });
  const id = result.stdout.toString().trim();
  if (isSuccess(result) && isCommitId(id)) return ok(id);
  return fail(troubleFromGit(result, { doing: 'read what it fetched' }));
}

/** Progress lines end with a carriage return; one a second is enough for people. */
function showProgress(o: FetchOptions): (text: string) => void {
  let line = '';
  let shownAt = Number.NEGATIVE_INFINITY;
  return (text) => {
    const pieces = (line + text).split(/[\r\n]+/);
    line = (pieces.pop() ?? '').slice(-500);
    const newest = pieces.findLast((piece) => piece.includes('%'));
    const now = o.clock.monotonic();
    if (newest === undefined || now - shownAt < 1_000) return;
    shownAt = now;
    o.emit({ type: 'progress', repo: o.repo, text: readable(newest.trim()) });
  };
}

export function isSuccess(result: ExecResult): boolean {
  return result.ended === 'exited' && result.exitCode === 0;
}
