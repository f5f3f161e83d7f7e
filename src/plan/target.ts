import { type CommitId, shortId } from '../model/ids.ts';
import { printable } from '../model/printable.ts';
import type { Tracking } from '../model/repo.ts';
import { type Trouble, trouble } from '../model/trouble.ts';

/** How an answer stands to the known target. `unknown`: the clone could not tell. */
export type Relation = 'same' | 'descendant' | 'older' | 'unrelated' | 'unknown';

export interface TargetQuestion {
  /** What the remote says that the tracked ref is. */
  readonly answer: CommitId;
  /** For the sentence; without credentials. */
  readonly remote: string;
  readonly tracking: Tracking;
  /** The known target; null before the first. */
  readonly previous: CommitId | null;
  /** Of `answer` to `previous`; not looked at when that is null. */
  readonly relation: Relation;
  /**
   * From `pullyu accept COMMIT`. The caller forgets it once the target moved there: an acceptance that stayed would let a
   * lagging remote take the host back.
   */
  readonly accepted: CommitId | null;
  /** Whether `answer` descends from `accepted`: somebody may have pushed on top of it meanwhile. */
  readonly descendsFromAccepted?: boolean;
}

type TargetChoice =
  | { readonly kind: 'stay'; readonly target: CommitId; readonly trouble: null }
  | { readonly kind: 'move'; readonly target: CommitId; readonly trouble: null }
  | { readonly kind: 'trouble'; readonly target: CommitId; readonly trouble: Trouble };

/**
 * The commit that the host should be at now. It moves to descendants only. Anything else keeps the known target and is a
 * trouble, except for what the operator named: by `pullyu accept`, or as a commit id in host.yaml.
 */
export function chooseTarget(question: TargetQuestion): TargetChoice {
  const { answer, previous, accepted } = question;
  if (previous === null) return { kind: 'move', target: answer, trouble: null };
  if (answer === previous || question.relation === 'same')
    return { kind: 'stay', target: previous, trouble: null };
  const named =
    answer === accepted ||
    (accepted !== null && question.descendsFromAccepted === true) ||
    (question.tracking.kind === 'commit' && question.tracking.id === answer);
  if (named || question.relation === 'descendant') return { kind: 'move', target: answer, trouble: null };
  return { kind: 'trouble', target: previous, trouble: refusal(question, previous) };
}

function refusal(question: TargetQuestion, previous: CommitId): Trouble {
  const found = `${formatTracking(question.tracking)} is ${shortId(question.answer)}`;
  const hint = `to go there all the same: pullyu accept ${question.answer}`;
  const { remote } = question;
  switch (question.relation) {
    case 'older':
      return trouble('lagging', `${found}, which is older than the known target ${shortId(previous)}`, {
        remote,
        hint,
      });
    case 'unrelated':
      return trouble('rewritten', `${found}, which does not descend from the target ${shortId(previous)}`, {
        remote,
        hint,
      });
    default:
      return trouble(
        'git-failed',
        `${found}, and whether it descends from ${shortId(previous)} is not known`,
        {
          remote,
        },
      );
  }
}

/** `branch main`, `tag v1.2`, `the highest tag of v*`, `commit 3f2a91c`. */
export function formatTracking(tracking: Tracking): string {
  switch (tracking.kind) {
    case 'branch':
      return `branch ${printable(tracking.name)}`;
    case 'exact-tag':
      return `tag ${printable(tracking.name)}`;
    case 'tag':
      return `the highest tag of ${printable(tracking.pattern)}`;
    case 'commit':
      return `commit ${shortId(tracking.id)}`;
  }
}
