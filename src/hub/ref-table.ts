/**
 * All refs of a repository as git itself lists them, and the part of them that a probe asks for. Pure.
 *
 * The table is made of git's own full answer to `ls-refs`, so what is broken, hidden, symbolic or unborn is decided by git.
 * Leaving out what a request does not ask for is all that is done here.
 */
import { createPacketReader, FLUSH } from '../git/pkt-line.ts';
import type { LsRefsRequest } from './ls-refs-request.ts';

/** Bytes in latin1, so that their order is git's. */
interface Line {
  /** `unborn` for a HEAD whose branch does not exist. */
  readonly id: string;
  readonly name: string;
  /** With the space before it; '' for none. */
  readonly symref: string;
  readonly peeled: string;
}

export interface RefTable {
  /** HEAD comes first, before and outside the order. */
  readonly head: Line | null;
  /** By name. */
  readonly refs: readonly Line[];
}

/** What git is asked once for each state of the refs. */
export const EVERYTHING: Omit<LsRefsRequest, 'objectFormat'> = {
  peel: true,
  symrefs: true,
  unborn: true,
  prefixes: [],
};

/** @param answer To `EVERYTHING`. @returns null when it is not a whole answer: never an empty table. */
export function parseRefTable(answer: Buffer): RefTable | null {
  const lines: Line[] = [];
  let isWhole = false;
  const reader = createPacketReader((mark, bytes, start, end) => {
    if (mark !== 4) {
      isWhole = mark === 0;
      return false;
    }
    const line = parseLine(bytes.toString('latin1', start, end));
    if (line === null) return false;
    lines.push(line);
    return true;
  });
  reader.push(answer);
  if (!isWhole) return null;
  const head = lines[0]?.name === 'HEAD' ? lines.shift()! : null;
  for (let n = 1; n < lines.length; n += 1) if (lines[n - 1]!.name >= lines[n]!.name) return null;
  return { head, refs: lines };
}

const LINE =
  /^(unborn|[0-9a-f]{40}|[0-9a-f]{64}) ([^ ]+)( symref-target:[^ ]+)?( peeled:(?:[0-9a-f]{40}|[0-9a-f]{64}))?$/;

function parseLine(text: string): Line | null {
  const match = LINE.exec(text);
  return match && { id: match[1]!, name: match[2]!, symref: match[3] ?? '', peeled: match[4] ?? '' };
}

/** Exactly the bytes that git would send. */
export function answerLsRefs(table: RefTable, q: Omit<LsRefsRequest, 'objectFormat'>): Buffer {
  const packets: string[] = [];
  const { head } = table;
  const wantsHead =
    head !== null && (q.prefixes.length === 0 || q.prefixes.some((prefix) => 'HEAD'.startsWith(prefix)));
  if (wantsHead && (head.id !== 'unborn' || (q.unborn && q.symrefs))) packets.push(formatLine(head, q));
  for (const [from, to] of rangesOf(table.refs, q.prefixes))
    for (let n = from; n < to; n += 1) packets.push(formatLine(table.refs[n]!, q));
  packets.push(FLUSH);
  return Buffer.from(packets.join(''), 'latin1');
}

function formatLine(line: Line, q: { readonly peel: boolean; readonly symrefs: boolean }): string {
  const text = `${line.id} ${line.name}${q.symrefs ? line.symref : ''}${q.peel ? line.peeled : ''}\n`;
  return (text.length + 4).toString(16).padStart(4, '0') + text;
}

/** Which indexes have a name with one of the prefixes: ranges in order, apart from each other. The cost grows with what is found. */
function rangesOf(refs: readonly Line[], prefixes: readonly string[]): [from: number, to: number][] {
  if (prefixes.length === 0) return [[0, refs.length]];
  // Two ranges of prefixes are one inside the other, or apart: the shorter prefix sorts first.
  const sorted = [...prefixes].sort();
  const ranges: [number, number][] = [];
  let last: string | null = null;
  for (const prefix of sorted) {
    if (last !== null && prefix.startsWith(last)) continue;
    last = prefix;
    const from = firstIndex(refs, (name) => name >= prefix);
    const to = firstIndex(refs, (name) => name > prefix && !name.startsWith(prefix));
    if (from < to) ranges.push([from, to]);
  }
  return ranges;
}

/** Of the first ref for which the question, once true always true, is true. */
function firstIndex(refs: readonly Line[], question: (name: string) => boolean): number {
  let low = 0;
  let high = refs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (question(refs[middle]!.name)) high = middle;
    else low = middle + 1;
  }
  return low;
}
