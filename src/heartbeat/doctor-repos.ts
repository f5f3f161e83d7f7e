/** The repos: are their remotes reachable, is the clone whole, does `current` lead to a tree? */
import type { CommitId } from '../model/ids.ts';
import { shortId } from '../model/ids.ts';
import type { Result, Trouble } from '../model/trouble.ts';
import { bad, type Finding, good } from './finding.ts';

export interface RemoteFacts {
  /** Without credentials. */
  readonly remote: string;
  readonly answer: Result<{ readonly commit: CommitId }>;
  readonly tookMs: number;
}

export interface RepoFacts {
  readonly repo: string;
  readonly remotes: readonly RemoteFacts[];
  /** What the journal says the tree should be at. */
  readonly target: CommitId | null;
  readonly clone: 'whole' | 'missing' | 'without-target';
  /** The folder to which `current` leads; null when it leads nowhere. */
  readonly current: string | null;
  /** What the last look could not go on with; null: nothing. */
  readonly trouble: Trouble | null;
}

export function judgeRepos(repos: readonly RepoFacts[]): Finding[] {
  return repos.flatMap((repo) => [
    ...judgeRemotes(repo),
    judgeClone(repo),
    ...judgeTree(repo),
    ...judgeTrouble(repo),
  ]);
}

function judgeRemotes({ repo, remotes }: RepoFacts): Finding[] {
  const anyAnswers = remotes.some(({ answer }) => answer.ok);
  return remotes.map(({ remote, answer, tookMs }) => {
    const check = `remote of ${repo}`;
    if (answer.ok)
      return good(check, `${remote} is at ${shortId(answer.value.commit)} (${Math.round(tookMs)} ms)`);
    const { code, message, hint } = answer.trouble;
    return bad(anyAnswers ? 'warn' : 'fail', check, {
      found: `${remote}: ${message} (${code})`,
      expected: anyAnswers
        ? 'an answer; another remote gives one meanwhile'
        : 'an answer of at least one remote',
      hint: hint ?? 'it may pass by itself: the agent goes on asking',
    });
  });
}

function judgeClone({ repo, clone, target }: RepoFacts): Finding {
  const check = `clone of ${repo}`;
  if (clone === 'whole') return good(check, target === null ? 'there' : `holds ${shortId(target)}`);
  const found = clone === 'missing' ? 'there is none' : 'it does not hold the target that the journal names';
  return bad(clone === 'missing' && target === null ? 'fail' : 'warn', check, {
    found,
    expected: target === null ? 'a clone' : `a clone that holds ${shortId(target)}`,
    hint: 'the next look fetches it; a clone is a cache, nothing is lost with it',
  });
}

function judgeTree({ repo, current, target }: RepoFacts): Finding[] {
  if (target === null) return [];
  if (current !== null) return [good(`tree of ${repo}`, current)];
  return [
    bad('fail', `tree of ${repo}`, {
      found: '`current` leads nowhere',
      expected: `the tree of ${shortId(target)}`,
      hint: 'the next look puts it back',
    }),
  ];
}

/** A remote that does not answer was judged already, as it is now. */
function judgeTrouble({ repo, remotes, trouble }: RepoFacts): Finding[] {
  if (trouble === null || !remotes.some(({ answer }) => answer.ok)) return [];
  return [
    bad('fail', `last look at ${repo}`, {
      found: `${trouble.message} (${trouble.code})`,
      expected: 'no trouble',
      hint: trouble.hint ?? 'pullyu look',
    }),
  ];
}
