/** docs/errors.md against the two catalogues, and the words of hints against what host.yaml really has. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { hostSchema } from '../src/config/host-schema.ts';
import { CATALOGUE, EXIT } from '../src/errors.ts';
import { codesIn, readPage, rowsOf, sectionOf } from './support/markdown.ts';

const page = readPage('errors.md');
const src = fileURLToPath(new URL('../src', import.meta.url));
const firstCode = (cell: string | undefined) => codesIn(cell ?? '')[0] ?? '';

test('every error is documented with its exit code, and none is invented', () => {
  const rows = rowsOf(sectionOf(page, 'Errors'), 'code').map(([code, exit]) => [
    firstCode(code),
    Number(exit),
  ]);
  expect(Object.fromEntries(rows)).toEqual(
    Object.fromEntries(Object.entries(CATALOGUE).map(([code, { exit }]) => [code, exit])),
  );
});

test('every exit code is documented, and none is invented', () => {
  const rows = rowsOf(sectionOf(page, 'Exit codes'), 'exit code').map(([code]) => Number(code));
  expect(rows).toEqual(Object.values(EXIT));
});

test('every trouble is documented, and none is invented', () => {
  const text = readFileSync(join(src, 'model/trouble.ts'), 'utf8');
  const [, union = ''] = /export type TroubleCode =([\s\S]*?);/.exec(text.replace(/\/\/.*$/gm, '')) ?? [];
  const codes = [...union.matchAll(/'([a-z-]+)'/g)].map((match) => match[1]!);
  expect(codes.length).toBeGreaterThan(20);
  const rows = rowsOf(sectionOf(page, 'Troubles'), 'code').map(([code]) => firstCode(code));
  expect(rows.sort()).toEqual(codes.sort());
});

test('every row of the page says what to do', () => {
  const rows = [...rowsOf(sectionOf(page, 'Errors'), 'code'), ...rowsOf(sectionOf(page, 'Troubles'), 'code')];
  expect(rows.filter((cells) => cells.some((cell) => cell === '')).map(([code]) => code)).toEqual([]);
});

/** `limits.fetchMax`, `ssh.key` in a hint or on a page must be what host.yaml calls it. */
test('hints and pages name the settings of host.yaml as they are', () => {
  const known = settingsOf();
  expect([...known]).toEqual(expect.arrayContaining(['limits.fetchMax', 'ssh.key', 'tls.ca']));
  const wrong: string[] = [];
  for (const [name, text] of [...sources(), ...pages()]) {
    for (const match of text.matchAll(
      /(?<![\w.`$/{])(limits|access|tls|ssh)\.(?!ts\b)([A-Za-z]+)\b(?!\s*[([?=]|\.[a-z])/g,
    )) {
      const [setting] = match;
      if (!known.has(setting)) wrong.push(`${name}: ${setting}`);
    }
  }
  expect(wrong).toEqual([]);
});

function settingsOf(): ReadonlySet<string> {
  const text = JSON.stringify(hostSchema, (key, value) => (key === 'reference' ? undefined : value));
  const schema = JSON.parse(text) as unknown;
  const found = new Set<string>();
  const visit = (value: unknown, key: string) => {
    if (typeof value !== 'object' || value === null) return;
    const entries = (value as { entries?: Record<string, unknown> }).entries;
    if (entries) for (const name of Object.keys(entries)) found.add(`${key}.${name}`);
    for (const [name, one] of Object.entries(value))
      visit(one, /^(entries|pipe|wrapped|options|value|\d+)$/.test(name) ? key : name);
  };
  visit(schema, '');
  return found;
}

/** What people read in sources: the strings. */
function sources(): [string, string][] {
  return readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => [name, stringsIn(readFileSync(join(src, name), 'utf8'))]);
}

function stringsIn(source: string): string {
  return [...source.matchAll(/'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g)]
    .map(([text]) => text.replace(/\$\{[^}]*\}/g, ''))
    .join('\n');
}

function pages(): [string, string][] {
  const docs = join(src, '../docs');
  return readdirSync(docs)
    .filter((name) => name.endsWith('.md'))
    .map((name) => [name, readFileSync(join(docs, name), 'utf8').replace(/`/g, ' ')]);
}
