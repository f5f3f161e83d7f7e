import { expect, test } from 'vitest';
import { parseListing } from './listing.ts';

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);

test('branches, tags and HEAD are taken; requests to merge and peeled tags are not', () => {
  const text = `ref: refs/heads/main\tHEAD\n${A}\tHEAD\n${B}\trefs/tags/v1\n${A}\trefs/tags/v1^{}\n${A}\trefs/heads/main\n${A}\trefs/pull/1/head\n`;
  expect(parseListing(text)).toEqual({
    head: 'refs/heads/main',
    refs: `${A} refs/heads/main\n${B} refs/tags/v1`,
    count: 2,
  });
});

test('a HEAD that leads to nothing is none', () => {
  expect(parseListing(`ref: refs/heads/gone\tHEAD\n${A}\trefs/heads/main\n`).head).toBeNull();
});

test('nothing, and nonsense, have no refs', () => {
  for (const text of ['', '<html>', `${A} refs/heads/main\n`, `${A}\trefs/heads/a\tb\n`])
    expect(parseListing(text)).toEqual({ head: null, refs: '', count: 0 });
});
