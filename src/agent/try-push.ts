/** `pullyu try push`: what worked goes onto the tracked branch, or onto a branch for review. */
import { PullyuError } from '../errors.ts';
import { type CommitId, shortId } from '../model/ids.ts';
import type { RepoConfig } from '../model/repo.ts';
import { verdictOf } from '../plan/try-verdict.ts';
import { compareTry, objectionsTo } from './try-compare.ts';
import { count, guarded, must, requireOpen, scratchOf, type TryContext } from './try-context.ts';
import { readTry, tryPaths, writeTry } from './try-file.ts';

export interface PushOptions {
  /** A branch for review, instead of the tracked one. */
  readonly branch: string | null;
  /** For what is not committed. */
  readonly message: string | null;
  /** Whatever the tries said. */
  readonly force: boolean;
}

export interface PushReport {
  readonly branch: string;
  readonly commit: CommitId;
  /** How many commits of others it was put on top of, as `OLD -> NEW`; null when there were none. */
  readonly rebased: { readonly from: CommitId; readonly to: CommitId } | null;
  /** Changed, but not for this host: nobody has tried it. */
  readonly notHere: readonly string[];
}

const PUSH_TRIES = 3;

export async function pushTry(repo: RepoConfig, o: PushOptions, c: TryContext): Promise<PushReport> {
  const open = requireOpen(repo.name, c);
  const target = o.branch ?? open.follows;
  if (target === null) {
    throw new PullyuError('usage', `expected a branch to push to, found that ${repo.name} tracks none`, {
      hint: 'pullyu try push --branch NAME',
    });
  }
  requireBranchName(target);
  return guarded(repo.name, c, async () => {
    const scratch = scratchOf(repo, open, c);
    const before = must(await scratch.state());
    if (before.edited > 0 && o.message === null) {
      throw new PullyuError(
        'usage',
        `expected a message for what is not committed (${count(before.edited, 'path')}), found none`,
        {
          hint: 'pullyu try push -m MESSAGE',
        },
      );
    }
    const actions = await compareTry(repo, open, open.base, c);
    if (!o.force) refuseObjections(objectionsTo(actions));
    if (before.edited > 0) must(await scratch.commitAll(o.message ?? ''));

    let base = open.base;
    let rebased: PushReport['rebased'] = null;
    for (let n = 1; ; n += 1) {
      if (open.follows !== null) {
        const tip = must(await scratch.fetch(open.follows));
        const { ahead } = must(await scratch.state());
        if (ahead === 0) {
          throw new PullyuError(
            'usage',
            'expected something to push, found no edit and no commit of this try',
            {
              hint: `edit ${tryPaths(c.paths, repo.name).checkout}, or end the try: pullyu try end`,
            },
          );
        }
        // A branch for review may stand where the work began; the tracked one only ever goes forward.
        if (o.branch === null && !(await scratch.isAncestor(tip, 'HEAD'))) {
          const done = await scratch.rebase(`origin/${open.follows}`);
          if (!done.ok) throw conflict(done.trouble.message, open.follows, c, repo);
          rebased = { from: open.base, to: tip };
          base = tip;
          noteBase(repo.name, tip, c);
          if (!o.force) refuseObjections(objectionsTo(await compareTry(repo, open, tip, c)), tip);
        }
      }
      const pushed = must(await scratch.push(target));
      if (pushed === 'pushed') break;
      if (n >= PUSH_TRIES || o.branch !== null) {
        throw new PullyuError(
          'refused',
          `expected ${target} to be behind what is pushed, found other commits on it`,
          {
            hint: o.branch === null ? 'try again: others are pushing too' : 'take another name for --branch',
          },
        );
      }
    }
    const { head } = must(await scratch.state());
    if (o.branch === null) noteBase(repo.name, head, c);
    else if (base !== open.base) noteBase(repo.name, base, c);
    return {
      branch: target,
      commit: head,
      rebased,
      notHere: actions.filter((one) => verdictOf(one) === 'not-here').map((one) => one.name),
    };
  });
}

function refuseObjections(objections: readonly string[], onTopOf?: CommitId): void {
  if (objections.length === 0) return;
  const where = onTopOf === undefined ? '' : `, now that the try is on top of ${shortId(onTopOf)}`;
  throw new PullyuError(
    'refused',
    `expected that everything which changed was tried and worked${where}: ${objections.join('; ')}`,
    {
      hint: 'pullyu try run ACTION, then push again; --force pushes all the same',
    },
  );
}

function noteBase(repo: string, base: CommitId, c: TryContext): void {
  const notes = readTry(c.paths, repo);
  if (notes.open !== null) writeTry(c.paths, repo, { ...notes, open: { ...notes.open, base } });
}

function conflict(message: string, branch: string, c: TryContext, repo: RepoConfig): PullyuError {
  return new PullyuError('failed', `the try does not go on top of ${branch} by itself: ${message}`, {
    hint: `nothing was changed; rebase it by hand in ${tryPaths(c.paths, repo.name).checkout}, or push it for review: pullyu try push --branch NAME`,
  });
}

/** A name that git takes, and no option. @throws PullyuError `usage` */
export function requireBranchName(name: string): void {
  const isPlain = /^[A-Za-z0-9][A-Za-z0-9._/+@-]*$/.test(name);
  if (isPlain && !/\.\.|\/\/|@\{|\.lock(?:\/|$)|[./]$|\/\./.test(name)) return;
  throw new PullyuError('usage', `expected the name of a branch, found ${JSON.stringify(name)}`, {
    hint: 'such as review/faster-deploy',
  });
}
