/** Packs, as they travel: a few small objects are written and read here, where starting git would cost a hundred times as much. Pure. */
import { createHash } from 'node:crypto';
import { deflateSync, type InputType, inflateSync } from 'node:zlib';
import {
  type GitObject,
  type GitObjects,
  idLength,
  type ObjectFormat,
  type ObjectType,
  objectId,
} from './objects.ts';

const TYPES: Readonly<Record<ObjectType, number>> = { commit: 1, tree: 2, blob: 3, tag: 4 };
const TYPE_NAMES: readonly (ObjectType | null)[] = [null, 'commit', 'tree', 'blob', 'tag'];
const REF_DELTA = 7;
const HEAD_BYTES = 12;

export function formatPack(objects: GitObjects, format: ObjectFormat): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.write('PACK', 'latin1');
  head.writeUInt32BE(2, 4);
  head.writeUInt32BE(objects.size, 8);
  const parts: Buffer[] = [head];
  for (const { type, data } of objects.values()) {
    parts.push(formatEntryHead(TYPES[type], data.length), deflateSync(data));
  }
  const body = Buffer.concat(parts);
  return Buffer.concat([body, createHash(format).update(body).digest()]);
}

/** The type and the size: four bits of it in the first byte, seven in each that follows. */
function formatEntryHead(type: number, size: number): Buffer {
  const bytes: number[] = [];
  let rest = Math.floor(size / 16);
  bytes.push((type << 4) | (size & 15) | (rest > 0 ? 0x80 : 0));
  while (rest > 0) {
    const next = Math.floor(rest / 128);
    bytes.push((rest & 127) | (next > 0 ? 0x80 : 0));
    rest = next;
  }
  return Buffer.from(bytes);
}

export interface PackLimits {
  /** Of one object, unpacked. */
  readonly objectMaxBytes: number;
  /** Of all of them together. */
  readonly totalMaxBytes: number;
}

/** `limit`: it may be a pack, but holds more than it may. `broken`: it is none. */
export type PackProblem = 'limit' | 'broken';

interface Delta {
  readonly base: string;
  readonly data: Buffer;
}

/** The objects of a pack that is whole in itself (no haves were sent) and has no offset deltas (they were not asked for). */
export function readPack(pack: Buffer, format: ObjectFormat, limits: PackLimits): GitObjects | PackProblem {
  const sumBytes = idLength(format) / 2;
  const end = pack.length - sumBytes;
  if (end < HEAD_BYTES || pack.toString('latin1', 0, 4) !== 'PACK' || pack.readUInt32BE(4) !== 2)
    return 'broken';
  if (!createHash(format).update(pack.subarray(0, end)).digest().equals(pack.subarray(end))) return 'broken';

  const objects = new Map<string, GitObject>();
  let deltas: Delta[] = [];
  const count = pack.readUInt32BE(8);
  let at = HEAD_BYTES;
  let total = 0;
  for (let n = 0; n < count; n += 1) {
    if (at >= end) return 'broken';
    let byte = pack[at++]!;
    const type = (byte >> 4) & 7;
    let size = byte & 15;
    for (let factor = 16; (byte & 0x80) !== 0; factor *= 128) {
      if (at >= end) return 'broken';
      byte = pack[at++]!;
      size += (byte & 127) * factor;
    }
    total += size;
    if (size > limits.objectMaxBytes || total > limits.totalMaxBytes) return 'limit';
    let base = '';
    if (type === REF_DELTA) {
      base = pack.toString('hex', at, at + sumBytes);
      at += sumBytes;
    }
    const inflated = inflate(pack.subarray(at, end), size);
    if (inflated === null) return 'broken';
    at += inflated.used;
    const name = TYPE_NAMES[type];
    if (type === REF_DELTA) deltas.push({ base, data: inflated.data });
    else if (name != null) keep(objects, format, { type: name, data: inflated.data });
    else return 'broken';
  }
  if (at !== end) return 'broken';
  // Each round finds the bases that the round before has made.
  while (deltas.length > 0) {
    const waiting: Delta[] = [];
    for (const delta of deltas) {
      const base = objects.get(delta.base);
      if (base === undefined) {
        waiting.push(delta);
        continue;
      }
      const data = applyDelta(base.data, delta.data, limits.objectMaxBytes);
      if (typeof data === 'string') return data;
      total += data.length;
      if (total > limits.totalMaxBytes) return 'limit';
      keep(objects, format, { type: base.type, data });
    }
    if (waiting.length === deltas.length) return 'broken';
    deltas = waiting;
  }
  return objects;
}

function keep(objects: Map<string, GitObject>, format: ObjectFormat, object: GitObject): void {
  objects.set(objectId(format, object), object);
}

/** @returns the content, and how many bytes of the input it took. */
function inflate(input: Buffer, size: number): { data: Buffer; used: number } | null {
  try {
    // Node's types do not know that `info` changes what is returned.
    const options = { info: true, maxOutputLength: Math.max(1, size) };
    const { buffer, engine } = (
      inflateSync as unknown as (
        input: InputType,
        o: typeof options,
      ) => { buffer: Buffer; engine: { bytesWritten: number } }
    )(input, options);
    return buffer.length === size ? { data: buffer, used: engine.bytesWritten } : null;
  } catch {
    return null;
  }
}

function applyDelta(base: Buffer, delta: Buffer, maxBytes: number): Buffer | PackProblem {
  let at = 0;
  const readSize = (): number => {
    let size = 0;
    for (let factor = 1; at < delta.length; factor *= 128) {
      const byte = delta[at++]!;
      size += (byte & 127) * factor;
      if ((byte & 0x80) === 0) break;
    }
    return size;
  };
  if (readSize() !== base.length) return 'broken';
  const size = readSize();
  if (size > maxBytes) return 'limit';
  const parts: Buffer[] = [];
  let made = 0;
  while (at < delta.length) {
    const command = delta[at++]!;
    let part: Buffer;
    if ((command & 0x80) !== 0) {
      let offset = 0;
      let length = 0;
      for (let n = 0; n < 4; n += 1) if ((command & (1 << n)) !== 0) offset += (delta[at++] ?? 0) * 256 ** n;
      for (let n = 0; n < 3; n += 1) if ((command & (16 << n)) !== 0) length += (delta[at++] ?? 0) * 256 ** n;
      if (length === 0) length = 0x10000;
      if (offset + length > base.length) return 'broken';
      part = base.subarray(offset, offset + length);
    } else {
      if (command === 0 || at + command > delta.length) return 'broken';
      part = delta.subarray(at, at + command);
      at += command;
    }
    made += part.length;
    if (made > size) return 'broken';
    parts.push(part);
  }
  return made === size ? Buffer.concat(parts) : 'broken';
}
