/** What the commits of a status repository hold, made and read. Pure. */
import type { GitObjects, ObjectFormat, ObjectSet, ParsedCommit } from '../git/objects.ts';
import { parseCommit, parseTree } from '../git/objects.ts';
import {
  PRESENCE_MAX_BYTES,
  type Presence,
  type SignedPresence,
  type Transition,
} from '../model/presence.ts';
import { parsePresence } from './parse-presence.ts';
import type { Contender, HistoryEntry } from './store.ts';

const TEXT = 'presence.json';
const SIGNATURE = 'presence.json.sig';
/** The last outcome of each action, for people who look at the branch: `outcomes/REPO/ACTION.json`. */
const OUTCOMES = 'outcomes';
/** Only in the commit of a transition that has one: `logs/REPO-ACTION.log`. */
const LOGS = 'logs';
/** An SSH signature of ed25519 has 300 bytes, one of RSA a thousand. */
const SIGNATURE_MAX_BYTES = 8 * 1024;
const LOG_MAX_BYTES = 256 * 1024;

/** @returns the id of the commit. */
export function addTransition(
  set: ObjectSet,
  parent: string | null,
  host: string,
  transition: Transition,
): string {
  const { presence, log } = transition;
  const files = presenceFiles(presence);
  for (const [path, content] of outcomeFiles(presence.text)) files.set(path, content);
  if (log !== null)
    files.set(`${LOGS}/${fileName(log.repo)}-${fileName(log.action)}.log`, Buffer.from(log.text));
  const parents = parent === null ? [] : [parent];
  return addCommit(set, host, {
    tree: set.addTree(files),
    parents,
    at: transition.at,
    message: transition.subject,
  });
}

/** A commit without a parent: the one before is forgotten when the ref moves. */
export function addPresence(set: ObjectSet, host: string, presence: SignedPresence): string {
  const parsed = parsePresence(presence.text);
  const at = parsed.ok ? parsed.presence.clock : 0;
  const message = parsed.ok ? `${host} ${parsed.presence.state}` : host;
  return addCommit(set, host, { tree: set.addTree(presenceFiles(presence)), parents: [], at, message });
}

/** @param nonce Makes it another commit than any before. */
export function addRoster(set: ObjectSet, host: string, nonce: string, at: number): string {
  const content = { nonce, at: new Date(at).toISOString() };
  const tree = set.addTree(new Map([['roster.json', Buffer.from(`${JSON.stringify(content, null, 2)}\n`)]]));
  return addCommit(set, host, { tree, parents: [], at, message: 'news' });
}

function addCommit(
  set: ObjectSet,
  host: string,
  o: { tree: string; parents: readonly string[]; at: number; message: string },
): string {
  const message = o.message.replace(/\s*[\r\n]+\s*/g, ' ');
  return set.addCommit({ ...o, message, name: host, email: `${host}@pullyu` });
}

function presenceFiles({ text, signature }: SignedPresence): Map<string, Buffer> {
  return new Map([
    [TEXT, Buffer.from(text)],
    [SIGNATURE, Buffer.from(signature)],
  ]);
}

function outcomeFiles(text: string): [path: string, content: Buffer][] {
  const parsed = parsePresence(text);
  if (!parsed.ok) return [];
  return parsed.presence.actions.map((action) => {
    const { repo, name, endedAt, ...rest } = action;
    const shown = { ...rest, endedAt: endedAt === null ? null : new Date(endedAt).toISOString() };
    const content = Buffer.from(`${JSON.stringify(shown, null, 2)}\n`);
    return [`${OUTCOMES}/${fileName(repo)}/${fileName(name)}.json`, content];
  });
}

/** Names that are fit for a file of a tree; the others are made so. */
function fileName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9._-]/g, '_');
  return /^\.*$/.test(plain) || /^\.git$/i.test(plain) ? `_${plain}` : plain;
}

/** What a commit of a presence, a claim or a transition holds; null when it holds no presence of a plausible size. */
export function readPresence(
  objects: GitObjects,
  commit: string,
  format: ObjectFormat,
): SignedPresence | null {
  const files = filesOf(objects, commit, format);
  if (files === null) return null;
  const text = textOf(objects, files.get(TEXT)?.id, PRESENCE_MAX_BYTES);
  const signature = textOf(objects, files.get(SIGNATURE)?.id, SIGNATURE_MAX_BYTES);
  return text === null || signature === null ? null : { text, signature };
}

/** The transitions that end with this commit, newest first, as far as they were fetched. */
export function readTransitions(
  objects: GitObjects,
  tip: string,
  format: ObjectFormat,
  limit: number,
): HistoryEntry[] {
  const entries: HistoryEntry[] = [];
  let next: string | undefined = tip;
  for (let seen = 0; next !== undefined && seen < limit; seen += 1) {
    const commit = commitOf(objects, next);
    if (commit === null) break;
    const presence = readPresence(objects, next, format);
    if (presence !== null) {
      const log = readLog(objects, next, format);
      entries.push({ at: commit.at, subject: commit.subject, presence, log });
    }
    next = commit.parents[0];
  }
  return entries;
}

function readLog(objects: GitObjects, commit: string, format: ObjectFormat): HistoryEntry['log'] {
  const folder = filesOf(objects, commit, format)?.get(LOGS);
  const tree = folder?.isFolder ? objects.get(folder.id) : undefined;
  const [first] = (tree?.type === 'tree' && parseTree(tree.data, format)) || [];
  if (first === undefined) return null;
  const text = textOf(objects, first[1].id, LOG_MAX_BYTES);
  return text === null ? null : { name: first[0], text };
}

function commitOf(objects: GitObjects, id: string): ParsedCommit | null {
  const object = objects.get(id);
  return object?.type === 'commit' ? parseCommit(object.data) : null;
}

function filesOf(objects: GitObjects, commit: string, format: ObjectFormat) {
  const tree = objects.get(commitOf(objects, commit)?.tree ?? '');
  return tree?.type === 'tree' ? parseTree(tree.data, format) : null;
}

function textOf(objects: GitObjects, id: string | undefined, maxBytes: number): string | null {
  const blob = id === undefined ? undefined : objects.get(id);
  return blob?.type === 'blob' && blob.data.length <= maxBytes ? blob.data.toString('utf8') : null;
}

/** What is known of a machine by its presence. */
export interface Machine extends Contender {
  readonly heartbeatMs: number;
}

/** null when the text is no presence. */
export function machineOf(presence: SignedPresence | null): Machine | null {
  const parsed = presence === null ? null : parsePresence(presence.text);
  return parsed?.ok ? pick(parsed.presence) : null;
}

function pick({ id, bootId, addresses, clock, heartbeatMs }: Presence): Machine {
  return { id, bootId, addresses, clock, heartbeatMs };
}

export function contenderOf({ id, bootId, addresses, clock }: Machine): Contender {
  return { id, bootId, addresses, clock };
}
