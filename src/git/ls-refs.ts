/** The one question and its answers: `ls-refs` of protocol v2, and the advertisement that opens v0, v1 and v2. */
import { isCommitId } from '../model/ids.ts';
import { createPacketReader, DELIMITER, FLUSH, formatPacket } from './pkt-line.ts';
import { printable } from './printable.ts';

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

export interface RefReader {
  push(chunk: Buffer): void;
  /** No further byte can change the result. */
  readonly isDone: boolean;
  readonly refs: readonly Ref[];
  /** At least one ref was there, kept or not. */
  readonly sawRefs: boolean;
  /** The answer was read to its end. Always true when an `exact` ref was found. */
  readonly isComplete: boolean;
  /** It is not in git's format: what was found instead. */
  readonly broken: string | null;
  /** What the server said in an ERR packet, escaped. */
  readonly error: string | null;
  /** Of an advertisement: 0 (also for 1) or 2; null before it is known. */
  readonly version: 0 | 2 | null;
  readonly objectFormat: string | null;
  /** Of a version 2 advertisement: the server knows the command ls-refs. */
  readonly knowsLsRefs: boolean;
}

/** The body of a protocol v2 request. `peel` resolves annotated tags, `symrefs` tells what HEAD is. */
export function formatLsRefs(o: {
  prefixes: readonly string[];
  peel?: boolean;
  symrefs?: boolean;
  objectFormat: string | null;
}): string {
  // Without the capability a server of a SHA-256 repository refuses; with `sha1` an old server does.
  const format =
    o.objectFormat === null || o.objectFormat === 'sha1' ? '' : `object-format=${o.objectFormat}`;
  return [
    formatPacket('command=ls-refs\n'),
    format === '' ? '' : formatPacket(`${format}\n`),
    DELIMITER,
    o.peel ? formatPacket('peel\n') : '',
    o.symrefs ? formatPacket('symrefs\n') : '',
    ...o.prefixes.map((prefix) => formatPacket(`ref-prefix ${prefix}\n`)),
    FLUSH,
  ].join('');
}

/** Reads the answer to `ls-refs`: lines `id name[ symref-target:ref][ peeled:id]`, then a flush. */
export function createLsRefsReader(filter: RefFilter): RefReader {
  return createReader(filter, 'answer');
}

/** Reads what a server says first: the refs themselves (v0, v1), or its capabilities (v2). */
export function createAdvertisementReader(filter: RefFilter): RefReader {
  return createReader(filter, 'advertisement');
}

type Phase = 'start' | 'capabilities' | 'refs' | 'answer' | 'done';

function createReader(filter: RefFilter, what: 'answer' | 'advertisement'): RefReader {
  const exact = 'exact' in filter ? Buffer.from(filter.exact) : null;
  const prefix = 'prefix' in filter ? filter.prefix : null;
  const most = 'first' in filter ? filter.first : Number.POSITIVE_INFINITY;
  const refs: Ref[] = [];
  let phase: Phase = what === 'answer' ? 'answer' : 'start';
  let sawRefs = false;
  let complete = false;
  let broken: string | null = null;
  let error: string | null = null;
  let version: 0 | 2 | null = what === 'answer' ? 2 : null;
  let objectFormat: string | null = null;
  let knowsLsRefs = false;

  const packets = createPacketReader((mark, bytes, start, end) => {
    if (mark !== 4) return onMark(mark);
    if (startsWith(bytes, start, end, 'ERR ')) {
      error = printable(bytes.toString('utf8', start + 4, end));
      return false;
    }
    switch (phase) {
      case 'answer':
        return onRef(bytes, start, end);
      case 'refs':
        return onOldRef(bytes, start, end);
      case 'capabilities':
        return onCapability(bytes.toString('latin1', start, end));
      default:
        return onStart(bytes, start, end);
    }
  });

  function onMark(mark: 0 | 1 | 2): boolean {
    // `# service=git-upload-pack` is followed by a flush of its own.
    if (phase === 'start') return mark === 0;
    if (mark !== 0) return fault('a mark in the middle of the list');
    complete = true;
    phase = 'done';
    return false;
  }

  function onStart(bytes: Buffer, start: number, end: number): boolean {
    if (startsWith(bytes, start, end, '# service=')) return true;
    if (startsWith(bytes, start, end, 'version 2')) {
      version = 2;
      phase = 'capabilities';
      return true;
    }
    version = 0;
    phase = 'refs';
    if (startsWith(bytes, start, end, 'version 1')) return true;
    const nul = bytes.indexOf(0, start);
    if (nul !== -1 && nul < end) {
      objectFormat =
        /(?:^| )object-format=([a-z0-9]+)/.exec(bytes.toString('latin1', nul + 1, end))?.[1] ?? null;
    }
    return onOldRef(bytes, start, end);
  }

  function onCapability(text: string): boolean {
    if (text === 'ls-refs' || text.startsWith('ls-refs=')) knowsLsRefs = true;
    else if (text.startsWith('object-format=')) objectFormat = text.slice('object-format='.length);
    return true;
  }

  /** A line of a v0 advertisement: `id name`, the first with capabilities behind a NUL; `name^{}` peels the one before. */
  function onOldRef(bytes: Buffer, start: number, end: number): boolean {
    if (startsWith(bytes, start, end, 'shallow ')) return true;
    const space = idEnd(bytes, start, end);
    if (space === -1) return fault(printable(bytes.toString('utf8', start, Math.min(end, start + 60))));
    let nameEnd = bytes.indexOf(0, space + 1);
    if (nameEnd === -1 || nameEnd > end) nameEnd = end;
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
    let nameEnd = bytes.indexOf(0x20, space + 1);
    if (nameEnd === -1 || nameEnd > end) nameEnd = end;
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
    sawRefs = true;
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
    complete = true;
    phase = 'done';
    return false;
  }

  function fault(found: string): false {
    broken = found;
    return false;
  }

  return {
    push(chunk) {
      if (packets.push(chunk) === 'broken' && broken === null) {
        broken = printable(chunk.toString('utf8', 0, 60));
      }
    },
    get isDone() {
      return complete || broken !== null || error !== null;
    },
    refs,
    get sawRefs() {
      return sawRefs;
    },
    get isComplete() {
      return complete;
    },
    get broken() {
      return broken;
    },
    get error() {
      return error;
    },
    get version() {
      return version;
    },
    get objectFormat() {
      return objectFormat;
    },
    get knowsLsRefs() {
      return knowsLsRefs;
    },
  };
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

function startsWith(bytes: Buffer, start: number, end: number, text: string): boolean {
  if (end - start < text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
  return true;
}

function endsWith(bytes: Buffer, start: number, end: number, text: string): boolean {
  return end - start >= text.length && startsWith(bytes, end - text.length, end, text);
}
