/** The tables of a page of docs/, for tests that compare a page with what the program really does. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const docs = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'docs');

/** The text of a page of docs/. */
export function readPage(name: string): string {
  return readFileSync(join(docs, name), 'utf8');
}

/** Every page of docs/, docs/decisions/ and of the root, by its name. */
export function readPages(): [name: string, text: string][] {
  return ['..', '.', 'decisions'].flatMap((folder) =>
    readdirSync(join(docs, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name): [string, string] => [join(folder, name), readPage(join(folder, name))]),
  );
}

/** The text of the section with this heading (of any depth), up to the next heading of its depth or above. */
export function sectionOf(page: string, heading: string): string {
  const lines = page.split('\n');
  const isHeading = headingsOf(lines);
  const at = lines.findIndex((line, n) => isHeading[n] && line.replace(/^#+ /, '') === heading);
  if (at === -1) throw new Error(`expected a section "${heading}", found none`);
  const depth = lines[at]!.indexOf(' ');
  const rest = lines.slice(at + 1);
  const end = rest.findIndex((line, n) => isHeading[at + 1 + n] && line.indexOf(' ') <= depth);
  return (end === -1 ? rest : rest.slice(0, end)).join('\n');
}

/** Which lines are headings: a comment in a block of code is none. */
function headingsOf(lines: readonly string[]): boolean[] {
  let inCode = false;
  return lines.map((line) => {
    if (line.trimStart().startsWith('```')) inCode = !inCode;
    return !inCode && /^#+ /.test(line);
  });
}

/** The rows of every table in the text whose header has the first cell `first`, as cells without the space around them. */
export function rowsOf(text: string, first: string): string[][] {
  const rows: string[][] = [];
  let inTable = false;
  for (const line of text.split('\n')) {
    if (!line.startsWith('|')) {
      inTable = false;
      continue;
    }
    const cells = cellsOf(line);
    if (cells[0] === first) inTable = true;
    else if (inTable && !/^-+$/.test(cells[0] ?? '')) rows.push(cells);
  }
  return rows;
}

/** `| a | b \| c |` is `a`, `b | c`. */
function cellsOf(line: string): string[] {
  return line
    .trim()
    .replace(/^\|/, '')
    .replace(/\|$/, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));
}

/** What stands in backticks in a cell. */
export function codesIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
}
