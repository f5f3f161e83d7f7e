/** docs/failures.md: whoever reads it can look at the tests that it names, and at the codes. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { codesIn, readPage, rowsOf } from './support/markdown.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const rows = rowsOf(readPage('failures.md'), 'failure');

test('each failure has what is done, what is seen, and tests that exist', () => {
  expect(rows.length).toBeGreaterThan(70);
  for (const cells of rows) {
    expect(cells).toHaveLength(4);
    expect(
      cells.every((cell) => cell !== ''),
      cells[0],
    ).toBe(true);
    const files = codesIn(cells[3]!);
    expect(files.length, cells[0]).toBeGreaterThan(0);
    for (const file of files) {
      expect(file).toMatch(/^(?:tests|src)\/\S+\.test\.ts$/);
      expect({ file, exists: existsSync(join(root, file)) }).toEqual({ file, exists: true });
    }
  }
});

test('every test of failures has its row', () => {
  const named = new Set(rows.flatMap((cells) => codesIn(cells[3]!)));
  const files = readdirSync(join(root, 'tests/fault'))
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `tests/fault/${name}`);
  expect(files.filter((file) => !named.has(file))).toEqual([]);
});
