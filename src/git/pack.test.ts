import { randomBytes } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { git } from '../../tests/support/git.ts';
import { tempFolder } from '../../tests/support/temp.ts';
import { createObjectSet, type ObjectFormat, parseCommit, parseTree } from './objects.ts';
import { formatPack, readPack } from './pack.ts';

const LIMITS = { objectMaxBytes: 1024 * 1024, totalMaxBytes: 4 * 1024 * 1024 };

const formats: readonly ObjectFormat[] = ['sha1', 'sha256'];

test('what is packed is read again', () => {
  const file = fc.tuple(
    fc.stringMatching(/^[a-z]{1,6}(\/[a-z]{1,6})?$/),
    fc.uint8Array({ maxLength: 3_000 }),
  );
  fc.assert(
    fc.property(fc.constantFrom(...formats), fc.array(file), (format, files) => {
      // A name is either a file or a folder.
      const tree = new Map(
        files.map(([path, bytes]) => [path.includes('/') ? `d-${path}` : path, Buffer.from(bytes)]),
      );
      const set = createObjectSet(format);
      set.addTree(tree);
      const read = readPack(formatPack(set.objects, format), format, LIMITS);
      expect(read).toEqual(set.objects);
    }),
    { numRuns: 50 },
  );
});

test('arbitrary bytes are no pack, commit or tree, and nothing is thrown', () => {
  const head = Buffer.from('PACK\0\0\0\x02\0\0\0\x01', 'latin1');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, withHead) => {
      const data = withHead ? Buffer.concat([head, bytes]) : Buffer.from(bytes);
      expect(readPack(data, 'sha1', LIMITS)).toBe('broken');
      parseCommit(data);
      parseTree(data, 'sha256');
    }),
  );
});

for (const format of formats) {
  test(`git takes our packs, and we read the deltas of git's own (${format})`, async () => {
    using folder = tempFolder('pack');
    const here = (args: readonly string[], input?: Buffer) =>
      git(['-C', folder.path, ...args], input === undefined ? {} : { input });
    await here(['init', '--quiet', `--object-format=${format}`]);
    const set = createObjectSet(format);
    const long = randomBytes(20_000).toString('hex');
    const versions = Array.from({ length: 5 }, (_, n) => `${long}${n}\n`);
    let parent: string[] = [];
    for (const [n, text] of versions.entries()) {
      const tree = set.addTree(
        new Map([
          ['a', Buffer.from(text)],
          ['a.b', Buffer.from('x')],
          ['a-/deep/file', Buffer.from(String(n))],
        ]),
      );
      const name = 'Ada <of> Example\n';
      parent = [
        set.addCommit({
          tree,
          parents: parent,
          name,
          email: 'ada@x',
          at: 1_700_000_000_500 + n,
          message: `m ${n}`,
        }),
      ];
    }
    await here(['unpack-objects', '-q', '--strict'], formatPack(set.objects, format));
    await here(['update-ref', 'HEAD', parent[0]!]);
    await here(['fsck', '--strict', '--full']);
    expect(await here(['log', '--format=%an|%at|%s', '-1'])).toBe('Ada of Example|1700000000|m 4');
    // Without --delta-base-offset deltas name their bases: what a server sends to those who do not ask for offsets.
    await here(['repack', '-a', '-d', '-q', '-f']);
    const { execFileSync } = await import('node:child_process');
    const pack = execFileSync(
      'git',
      ['-C', folder.path, 'pack-objects', '--stdout', '--all', '-q', '--revs'],
      { input: '' },
    );
    expect(pack.length).toBeLessThan(60_000);
    const read = readPack(pack, format, LIMITS);
    if (typeof read === 'string') throw new Error(read);
    expect(new Set(read.keys())).toEqual(new Set(set.objects.keys()));
    const commit = parseCommit(read.get(parent[0]!)!.data);
    expect(commit).toMatchObject({ at: 1_700_000_000_000, subject: 'm 4' });
    expect([...parseTree(read.get(commit!.tree)!.data, format)!.keys()].sort()).toEqual(['a', 'a-', 'a.b']);
    expect(readPack(pack, format, { ...LIMITS, objectMaxBytes: 1_000 })).toBe('limit');
    expect(readPack(pack, format, { ...LIMITS, totalMaxBytes: 50_000 })).toBe('limit');
  });
}

test('an entry that unpacks to more than it says is refused before it is unpacked', () => {
  const set = createObjectSet('sha1');
  set.addTree(new Map([['a', Buffer.alloc(10)]]));
  const pack = formatPack(set.objects, 'sha1');
  expect(pack.includes(deflateSync(Buffer.alloc(10)))).toBe(true);
  const bomb = Buffer.concat([
    pack.subarray(0, 12),
    Buffer.from([0x3a]),
    deflateSync(Buffer.alloc(50 * 1024 * 1024)),
  ]);
  expect(readPack(bomb, 'sha1', LIMITS)).toBe('broken');
});
