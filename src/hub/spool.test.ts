import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tempFolder } from '../../tests/support/temp.ts';
import { createSpool, type Spool, type SpoolReader } from './spool.ts';

async function everything(reader: SpoolReader): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (;;) {
    const piece = await reader.next();
    if (piece === null) return Buffer.concat(pieces);
    pieces.push(Buffer.from(piece));
    // Readers of different speed.
    if (pieces.length % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

function newSpool(
  folder: string,
  o: { memory?: number; disk?: number; onAbandoned?: () => void } = {},
): Spool {
  let serial = 0;
  const left = { memory: o.memory ?? Number.POSITIVE_INFINITY, disk: o.disk ?? Number.POSITIVE_INFINITY };
  return createSpool({
    newFile() {
      serial += 1;
      return join(folder, `${serial}`);
    },
    reserve(bytes, where) {
      if (left[where] < bytes) return false;
      left[where] -= bytes;
      return true;
    },
    onAbandoned: o.onAbandoned ?? (() => {}),
  });
}

test('every reader gets every byte, wherever they are kept and whenever it comes', async () => {
  using temp = tempFolder('spool');
  const limit = fc.constantFrom(0, 100_000, 700_000, 5_000_000);
  const sizes = fc.array(fc.constantFrom(1, 70_000, 400_000), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(sizes, limit, limit, fc.nat({ max: 3 }), async (all, memory, disk, readersAtOnce) => {
      const spool = newSpool(temp.path, { memory, disk });
      const chunks = all.map((size, n) => Buffer.alloc(size, n + 1));
      const early = Array.from({ length: readersAtOnce + 1 }, () => everything(spool.read()));
      const late: Promise<Buffer>[] = [];
      for (const chunk of chunks) {
        await spool.write(chunk);
        if (spool.isWhole) late.push(everything(spool.read()));
      }
      spool.end(true);
      const expected = Buffer.concat(chunks);
      for (const found of await Promise.all([...early, ...late])) expect(found.equals(expected)).toBe(true);
      if (spool.isWhole) expect((await everything(spool.read())).equals(expected)).toBe(true);
      spool.close();
    }),
    { numRuns: 40 },
  );
  expect(readdirSync(temp.path)).toEqual([]);
});

test('when nothing may be kept, a writer waits for its slowest reader', async () => {
  using temp = tempFolder('spool');
  const spool = newSpool(temp.path, { memory: 0, disk: 0 });
  const slow = spool.read();
  await spool.write(Buffer.alloc(1_000_000));
  let isWritten = false;
  const second = spool.write(Buffer.alloc(1_000_000)).then(() => {
    isWritten = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(isWritten).toBe(false);
  await slow.next();
  await second;
  slow.leave();
  spool.close();
});

test('readers learn that it failed, after what came before', async () => {
  using temp = tempFolder('spool');
  const spool = newSpool(temp.path);
  const reader = spool.read();
  await spool.write(Buffer.from('begun'));
  spool.fail(new Error('no more'));
  expect((await reader.next())?.toString()).toBe('begun');
  await expect(reader.next()).rejects.toThrow('no more');
  expect(spool.isWhole).toBe(false);
});

test('the last reader that leaves before the end says that nobody wants it', async () => {
  using temp = tempFolder('spool');
  let abandoned = 0;
  const spool = newSpool(temp.path, {
    onAbandoned: () => {
      abandoned += 1;
    },
  });
  const [one, two] = [spool.read(), spool.read()];
  const waiting = one.next();
  one.leave();
  expect(await waiting).toBeNull();
  expect(abandoned).toBe(0);
  two.leave();
  two.leave();
  expect(abandoned).toBe(1);
});
