/** Reads what a server says about its refs: answers to `ls-refs`, and the advertisement that opens v0, v1 and v2. */
import { isCommitId } from '../model/ids.ts';
import { printable } from '../model/printable.ts';
import type { AnswerReader } from './answer-reader.ts';
import { createPacketReader, type PacketReader, type PacketVisitor, parsePacketLength } from './pkt-line.ts';

export interface Ref {
  readonly name: string;
  readonly id: string;
  /** What an annotated tag stands for; null for everything that is no annotated tag. */
  peeled: string | null;
  /** The ref that a symbolic one (HEAD) stands for. */
  symref: string | null;
}

/** Which refs of an answer are kept. `exact` ends the reading as soon as it is found; `first` after so many. */
export type RefFilter = { readonly exact: string } | { readonly prefix: string } | { readonly first: number };

export interface RefReader extends AnswerReader {
  readonly refs: readonly Ref[];
  /** At least one ref was there, kept or not. */
  readonly sawRefs: boolean;
  /** Always true when an `exact` ref was found. */
  readonly isComplete: boolean;
  /** Of an advertisement: 0 (also for 1) or 2; null before it is known. */
  readonly version: 0 | 2 | null;
  readonly objectFormat: string | null;
  /** Of a version 2 advertisement: the server knows the command ls-refs. */
  readonly knowsLsRefs: boolean;
  /** Of a version 2 advertisement: a fetch may leave out large files. */
  readonly knowsFilter: boolean;
}

/** Reads the answer to `ls-refs`: lines `id name[ symref-target:ref][ peeled:id]`, then a flush. */
export function createLsRefsReader(filter: RefFilter): RefReader {
  return createReader(filter, 'answer');
}

/** Reads what a server says first: the refs themselves (v0, v1), or its capabilities (v2). */
export function createAdvertisementReader(filter: RefFilter): RefReader {
  return createReader(filter, 'advertisement');
}

/**
 * The short way for the answer that an idle probe gets: its first packet is the ref that we want, in one piece.
 * @returns its object id, or null: then read the answer the long way.
 */
export function readFirstRef(answer: Buffer, name: string): string | null {
  if (answer.length < 4) return null;
  const length = parsePacketLength(answer, 0);
  // Length, id, space, name, line feed. A tag that is peeled is longer, a name beyond ASCII as well.
  const idLength = length - 4 - 1 - name.length - 1;
  if ((idLength !== 40 && idLength !== 64) || answer.length < length || answer[length - 1] !== 0x0a)
    return null;
  if (idEnd(answer, 4, length - 1) !== 4 + idLength) return null;
  if (!startsWith(answer, 5 + idLength, length - 1, name)) return null;
  return answer.toString('latin1', 4, 4 + idLength);
}

type Phase = 'start' | 'capabilities' | 'refs' | 'answer';

/** What `RefReader` shows. */
type State = { -readonly [K in keyof RefReader]: RefReader[K] } & { refs: Ref[] };

function createReader(filter: RefFilter, what: 'answer' | 'advertisement'): RefReader {
  let packets: PacketReader | null = null;
  const state: State = {
    refs: [],
    sawRefs: false,
    isComplete: false,
    isDone: false,
    broken: null,
    error: null,
    version: what === 'answer' ? 2 : null,
    objectFormat: null,
    knowsLsRefs: false,
    knowsFilter: false,
    push(chunk) {
      if (state.isDone) return;
      if (packets === null) {
        if (what === 'answer' && 'exact' in filter && readAtOnce(chunk, filter.exact, state)) return;
        packets = createPacketReader(createVisitor(filter, what, state));
      }
      if (packets.push(chunk) === 'broken') state.broken ??= printable(chunk.toString('utf8', 0, 60));
      state.isDone = state.isComplete || state.broken !== null || state.error !== null;
    },
  };
  return state;
}

function readAtOnce(chunk: Buffer, name: string, state: State): boolean {
  const id = readFirstRef(chunk, name);
  if (id === null) return false;
  state.refs.push(newRef(id, name));
  state.sawRefs = true;
  state.isComplete = true;
  state.isDone = true;
  return true;
}

function createVisitor(filter: RefFilter, what: 'answer' | 'advertisement', state: State): PacketVisitor {
  const exact = 'exact' in filter ? Buffer.from(filter.exact) : null;
  const prefix = 'prefix' in filter ? filter.prefix : null;
  const most = 'first' in filter ? filter.first : Number.POSITIVE_INFINITY;
  const { refs } = state;
  let phase: Phase = what === 'answer' ? 'answer' : 'start';
  let afterService = false;

  return (mark, bytes, start, end) => {
    if (mark !== 4) return onMark(mark);
    if (startsWith(bytes, start, end, 'ERR ')) {
      state.error = printable(bytes.toString('utf8', start + 4, end));
      return false;
    }
    switch (phase) {
      case 'answer':
        return onRef(bytes, start, end);
      case 'refs':
        return onOldRef(bytes, start, end);
      case 'capabilities':
        return onCapability(bytes.toString('latin1', start, end));
      case 'start':
        return onStart(bytes, start, end);
    }
  };

  function onMark(mark: 0 | 1 | 2): boolean {
    // `# service=git-upload-pack` is followed by a flush of its own.
    if (afterService && mark === 0) {
      afterService = false;
      return true;
    }
    // An empty repository of a git before 2.41: v0 without a line.
    if (phase === 'start') state.version = 0;
    if (mark !== 0) return fault('a mark in the middle of the list');
    state.isComplete = true;
    return false;
  }

  function onStart(bytes: Buffer, start: number, end: number): boolean {
    if (startsWith(bytes, start, end, '# service=')) {
      afterService = true;
      return true;
    }
    if (startsWith(bytes, start, end, 'version 2')) {
      state.version = 2;
      phase = 'capabilities';
      return true;
    }
    state.version = 0;
    phase = 'refs';
    if (startsWith(bytes, start, end, 'version 1')) return true;
    const capabilities = bytes.toString('latin1', indexOrEnd(bytes, 0, start, end), end);
    state.objectFormat = /[ \0]object-format=([a-z0-9]+)/.exec(capabilities)?.[1] ?? null;
    return onOldRef(bytes, start, end);
  }

  function onCapability(text: string): boolean {
    if (text === 'ls-refs' || text.startsWith('ls-refs=')) state.knowsLsRefs = true;
    else if (/^fetch=(?:.* )?filter(?: |$)/.test(text)) state.knowsFilter = true;
    else if (text.startsWith('object-format=')) state.objectFormat = text.slice('object-format='.length);
    return true;
  }

  /** A line of a v0 advertisement: `id name`, the first with capabilities behind a NUL; `name^{}` peels the one before. */
  function onOldRef(bytes: Buffer, start: number, end: number): boolean {
    if (startsWith(bytes, start, end, 'shallow ')) return true;
    const space = idEnd(bytes, start, end);
    if (space === -1) return fault(printable(bytes.toString('utf8', start, Math.min(end, start + 60))));
    const nameEnd = indexOrEnd(bytes, 0, space + 1, end);
    const isPeeled = endsWith(bytes, space + 1, nameEnd, '^{}');
    if (isPeeled) {
      const last = refs[refs.length - 1];
      // `capabilities^{}` stands alone in the advertisement of an empty repository.
      if (last && bytes.toString('utf8', space + 1, nameEnd - 3) === last.name) {
        last.peeled = bytes.toString('latin1', start, space);
      }
    } else if (exact === null || refs.length === 0) {
      keep(bytes, start, space, nameEnd);
    }
    // An exact ref is certain only when the next line shows whether it is peeled.
    if (exact !== null && refs[0] && (isPeeled || !isName(bytes, space + 1, nameEnd))) return stop();
    return refs.length < most || stop();
  }

  function onRef(bytes: Buffer, start: number, end: number): boolean {
    const space = idEnd(bytes, start, end);
    if (space === -1) return fault(printable(bytes.toString('utf8', start, Math.min(end, start + 60))));
    const nameEnd = indexOrEnd(bytes, 0x20, space + 1, end);
    if (keep(bytes, start, space, nameEnd)) {
      const ref = refs[refs.length - 1]!;
      if (nameEnd < end) readAttributes(ref, bytes.toString('utf8', nameEnd + 1, end));
      if (exact !== null) return stop();
    }
    return refs.length < most || stop();
  }

  function isName(bytes: Buffer, start: number, end: number): boolean {
    return (
      exact !== null &&
      end - start === exact.length &&
      bytes.compare(exact, 0, exact.length, start, end) === 0
    );
  }

  function keep(bytes: Buffer, start: number, space: number, nameEnd: number): boolean {
    state.sawRefs = true;
    if (exact !== null) {
      if (!isName(bytes, space + 1, nameEnd)) return false;
      refs.push(newRef(bytes.toString('latin1', start, space), (filter as { exact: string }).exact));
      return true;
    }
    const name = bytes.toString('utf8', space + 1, nameEnd);
    if (prefix !== null && !name.startsWith(prefix)) return false;
    refs.push(newRef(bytes.toString('latin1', start, space), name));
    return true;
  }

  function stop(): false {
    state.isComplete = true;
    return false;
  }

  function fault(found: string): false {
    state.broken = found;
    return false;
  }
}

function newRef(id: string, name: string): Ref {
  return { name, id, peeled: null, symref: null };
}

function readAttributes(ref: Ref, text: string): void {
  for (const attribute of text.split(' ')) {
    if (attribute.startsWith('peeled:')) {
      const id = attribute.slice('peeled:'.length);
      if (isCommitId(id)) ref.peeled = id;
    } else if (attribute.startsWith('symref-target:')) {
      ref.symref = attribute.slice('symref-target:'.length);
    }
  }
}

/** The index of the space behind a full object id at `start`, or -1. */
function idEnd(bytes: Buffer, start: number, end: number): number {
  const space = bytes[start + 40] === 0x20 ? start + 40 : bytes[start + 64] === 0x20 ? start + 64 : -1;
  if (space === -1 || space + 1 >= end) return -1;
  for (let i = start; i < space; i++) {
    const byte = bytes[i]!;
    if (!((byte >= 48 && byte <= 57) || (byte >= 97 && byte <= 102))) return -1;
  }
  return space;
}

/** Within the line only: the rest of the buffer may be long. */
function indexOrEnd(bytes: Buffer, byte: number, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== byte) at++;
  return at;
}

/** False for every text that is not ASCII. */
function startsWith(bytes: Buffer, start: number, end: number, text: string): boolean {
  if (end - start < text.length) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127 || bytes[start + i] !== code) return false;
  }
  return true;
}

function endsWith(bytes: Buffer, start: number, end: number, text: string): boolean {
  return end - start >= text.length && startsWith(bytes, end - text.length, end, text);
}
