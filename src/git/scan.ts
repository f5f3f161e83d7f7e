/** Looks through the tree of a commit before any byte of it is written: SAFETY.md §2.4 step 10. */
import { join } from 'node:path';
import type { Limits } from '../model/host.ts';
import { type CommitId, isCommitId, shortId } from '../model/ids.ts';
import { printable } from '../model/printable.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { readFileOrNull, writeFileAtomic } from '../system/files.ts';
import type { CloneGit } from './clone-git.ts';
import { findClash, foldsNames } from './name-clash.ts';
import { refuseLink, refusePath, TEMP_NAME } from './scan-path.ts';
import { parseChanges, parseTree, type TreeChange } from './tree-listing.ts';

export interface ScanRules {
  /** May there be entries of mode 160000? */
  readonly submodules: boolean;
  /** Sizes are not known without fetching every blob: then only the number of files is limited. */
  readonly blobless: boolean;
  readonly limits: Pick<Limits, 'treeMaxFiles' | 'treeMaxBytes'>;
}

/** What the last good scan found, so that the next needs to look at the difference only. */
interface ScanRecord {
  readonly commit: CommitId;
  readonly rules: string;
  readonly files: number;
  readonly bytes: number;
}

const SYMLINK = '120000';
const GITLINK = '160000';
const LINK_MAX_BYTES = 4_096;
/** Lies in the clone: a new clone is looked through as a whole. Losing it costs time only. */
const RECORD = 'pullyu-scan';

/**
 * Refuses by name what must not be written. Cost grows with the change when `from` is the commit of the last good scan,
 * with the tree otherwise.
 */
export async function scanTree(
  git: CloneGit,
  from: CommitId | null,
  to: CommitId,
  rules: ScanRules,
): Promise<Result<null>> {
  const record = readRecord(git.dir, rules);
  if (record?.commit === to) return ok(null);
  const base = record !== null && record.commit === from ? record : null;
  const listed = base === null ? await listAll(git, to, rules) : await listChanges(git, base, to, rules);
  if (!listed.ok) return listed;

  const { entries, files, bytes } = listed.value;
  const refuse = (path: Buffer, reason: string) =>
    fail(
      trouble(
        'hostile-tree',
        `commit ${shortId(to)} has "${printable(path.toString())}": ${reason} is refused`,
        {
          hint: 'take it out of the repository and push; until then the last good tree stays',
        },
      ),
    );
  for (const entry of entries) {
    const reason = refuseEntry(entry, rules);
    if (reason !== null) return refuse(entry.path, reason);
  }
  const links = entries.filter((entry) => entry.mode === SYMLINK);
  const targets = await git.readBlobs(
    links.map((link) => link.oid),
    LINK_MAX_BYTES,
  );
  if (!targets.ok) return targets;
  for (const [index, link] of links.entries()) {
    const target = targets.value[index];
    const reason = target
      ? refuseLink(link.path.toString(), target)
      : 'a symbolic link with a very long target';
    if (reason !== null) return refuse(link.path, reason);
  }
  const clash = foldsNames(git.dir) ? await findClashIn(git, to, rules) : ok(null);
  if (!clash.ok) return clash;
  if (clash.value !== null) {
    const [one, other] = clash.value;
    return refuse(Buffer.from(other), `a name that this file system takes for "${printable(one)}"`);
  }
  if (files > rules.limits.treeMaxFiles) {
    return tooLarge(to, `${files} files`, `${rules.limits.treeMaxFiles} files`, 'limits.treeMaxFiles');
  }
  if (bytes > rules.limits.treeMaxBytes) {
    return tooLarge(
      to,
      `${bytes} bytes${nameLargest(entries)}`,
      `${rules.limits.treeMaxBytes} bytes`,
      'limits.treeMaxSize',
    );
  }
  const done: ScanRecord = { commit: to, rules: rulesKey(rules), files, bytes };
  writeFileAtomic(join(git.dir, RECORD), JSON.stringify(done), { durable: false });
  return ok(null);
}

/** Where names are folded, each commit is looked through as a whole: a new name may clash with an old one. */
async function findClashIn(
  git: CloneGit,
  commit: CommitId,
  rules: ScanRules,
): Promise<Result<ReturnType<typeof findClash>>> {
  const all = await listAll(git, commit, { ...rules, blobless: true });
  return all.ok ? ok(findClash(all.value.entries.map(({ path }) => path.toString()))) : all;
}

interface Entry {
  readonly mode: string;
  readonly oid: string;
  readonly path: Buffer;
  /** null or missing: not known. */
  readonly size?: number | null | undefined;
}

interface Listing {
  /** What is new or all, without folders. */
  readonly entries: readonly Entry[];
  /** Of the whole tree. */
  readonly files: number;
  readonly bytes: number;
}

async function listAll(git: CloneGit, commit: CommitId, rules: ScanRules): Promise<Result<Listing>> {
  const long = rules.blobless ? [] : ['-l'];
  const output = await git.read(['ls-tree', '-r', '-z', '--full-tree', ...long, commit], {
    doing: 'list the tree',
    maxOutputBytes: listingMaxBytes(rules),
  });
  if (!output.ok) return output;
  const entries = parseTree(output.value);
  return ok({ entries, files: entries.length, bytes: entries.reduce((sum, e) => sum + (e.size ?? 0), 0) });
}

async function listChanges(
  git: CloneGit,
  base: ScanRecord,
  to: CommitId,
  rules: ScanRules,
): Promise<Result<Listing>> {
  const output = await git.read(['diff-tree', '-r', '-z', '--raw', '--no-renames', base.commit, to], {
    doing: 'compare two trees',
    maxOutputBytes: listingMaxBytes(rules),
  });
  if (!output.ok) return output;
  const changes = parseChanges(output.value);
  const sizes = await sizesOf(git, changes, rules);
  if (!sizes.ok) return sizes;
  let { files, bytes } = base;
  for (const change of changes) {
    files += (change.after ? 1 : 0) - (change.before ? 1 : 0);
    bytes +=
      (sizes.value.get(change.after?.oid ?? '') ?? 0) - (sizes.value.get(change.before?.oid ?? '') ?? 0);
  }
  const entries = changes.flatMap((c) =>
    c.after ? [{ ...c.after, path: c.path, size: sizes.value.get(c.after.oid) }] : [],
  );
  return ok({ entries, files, bytes });
}

async function sizesOf(
  git: CloneGit,
  changes: readonly TreeChange[],
  rules: ScanRules,
): Promise<Result<ReadonlyMap<string, number>>> {
  if (rules.blobless) return ok(new Map());
  const oids = changes.flatMap((change) =>
    [change.before, change.after].flatMap((side) => (side && side.mode !== GITLINK ? [side.oid] : [])),
  );
  return git.readSizes([...new Set(oids)]);
}

function refuseEntry(
  entry: { readonly mode: string; readonly path: Buffer },
  rules: ScanRules,
): string | null {
  const reason = refusePath(entry.path);
  if (reason !== null) return reason;
  if (entry.mode === GITLINK && !rules.submodules)
    return 'a submodule (without `submodules: true` for the repo)';
  const path = entry.path.toString();
  if (path === TEMP_NAME) return `"${TEMP_NAME}" that is no folder`;
  // Git itself refuses to check it out.
  if (entry.mode === SYMLINK && path.toLowerCase() === '.gitmodules') return 'a symbolic link of that name';
  return null;
}

/** Of what is new: whoever pushed it by mistake finds it at once. */
function nameLargest(entries: readonly Entry[]): string {
  const [largest] = [...entries].sort((a, b) => (b.size ?? 0) - (a.size ?? 0));
  if (!largest?.size) return '';
  return ` ("${printable(largest.path.toString())}" alone has ${largest.size})`;
}

function tooLarge(commit: CommitId, found: string, allowed: string, setting: string): Result<never> {
  return fail(
    trouble('limit', `expected a tree of at most ${allowed}, found ${found} in commit ${shortId(commit)}`, {
      hint: `raise ${setting} in host.yaml when the repository may be this large`,
    }),
  );
}

function listingMaxBytes(rules: ScanRules): number {
  return Math.min(1024 ** 3, 64 * 1024 ** 2 + rules.limits.treeMaxFiles * 200);
}

/** A change of the rules makes the last scan worthless. */
function rulesKey(rules: ScanRules): string {
  return `1 submodules=${rules.submodules} blobless=${rules.blobless}`;
}

function readRecord(dir: string, rules: ScanRules): ScanRecord | null {
  try {
    const record = JSON.parse(readFileOrNull(join(dir, RECORD)) ?? 'null') as ScanRecord | null;
    const usable =
      record !== null &&
      isCommitId(record.commit) &&
      record.rules === rulesKey(rules) &&
      Number.isSafeInteger(record.files) &&
      Number.isSafeInteger(record.bytes);
    return usable ? record : null;
  } catch {
    return null;
  }
}
