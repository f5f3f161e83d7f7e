/** What a client sends: bounded, unpacked when it is gzip, and given up when it stops coming. */

import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ANSWERS, type TextAnswer } from './text-answer.ts';

/** Ends the reading of a body; it is what the client is told. */
export class BodyRefused extends Error {
  readonly answer: TextAnswer;
  constructor(answer: TextAnswer) {
    super(answer.text.trim());
    this.answer = answer;
  }
}

export interface BodyLimits {
  /** Unpacked. */
  readonly maxBytes: number;
  /** Between two pieces. */
  readonly stallMs: number;
}

/**
 * The body in pieces, unpacked. What is longer than allowed after unpacking is refused at the first byte too many, so that a small
 * body never becomes a large one in memory.
 * @throws BodyRefused
 */
export async function* readBody(request: Request, limits: BodyLimits): AsyncGenerator<Buffer> {
  const encoding = request.headers.get('content-encoding')?.toLowerCase() ?? 'identity';
  const isPacked = encoding === 'gzip' || encoding === 'x-gzip';
  if (!isPacked && encoding !== 'identity') throw new BodyRefused(ANSWERS.wrongEncoding);
  if (request.body === null) return;
  const source = unstalled(request.body.getReader(), limits.stallMs);
  const pieces = isPacked ? unpack(source) : source;
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += piece.length;
    if (bytes > limits.maxBytes) throw new BodyRefused(ANSWERS.tooLarge);
    yield piece;
  }
}

/** @throws BodyRefused */
export async function readWholeBody(request: Request, limits: BodyLimits): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of readBody(request, limits)) pieces.push(piece);
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

async function* unstalled(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  stallMs: number,
): AsyncGenerator<Buffer> {
  let isDone = false;
  try {
    for (;;) {
      const { done, value } = await within(reader.read(), stallMs);
      isDone = done;
      if (done) return;
      yield Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    }
  } finally {
    if (!isDone) reader.cancel().catch(() => {});
  }
}

function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new BodyRefused(ANSWERS.tooSlow)), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

async function* unpack(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const gunzip = createGunzip();
  const packed = Readable.from(source);
  let refused: BodyRefused | null = null;
  packed.on('error', (error) => {
    refused = error instanceof BodyRefused ? error : null;
    gunzip.destroy(error);
  });
  packed.pipe(gunzip);
  try {
    for await (const piece of gunzip) yield piece as Buffer;
  } catch {
    throw refused ?? new BodyRefused(ANSWERS.brokenBody);
  } finally {
    packed.destroy();
    gunzip.destroy();
  }
}
