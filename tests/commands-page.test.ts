/** docs/commands.md, and every mention of a command, against --help: every command, argument and option has its place, and none is invented. */
import { expect, test } from 'vitest';
import { createHost, runProgram, type TestHost } from './support/host.ts';
import { codesIn, readPage, readPages, rowsOf, sectionOf } from './support/markdown.ts';

const page = readPage('commands.md');

interface Help {
  /** Below the top: `bootstrap`, `detect fetch`. */
  readonly name: string;
  readonly options: readonly string[];
}

async function readHelp(host: TestHost, words: readonly string[]): Promise<Help[]> {
  const { stdout } = await runProgram([...words, '--help'], { env: { ...host.env } });
  const part = (heading: string) =>
    new RegExp(`^${heading}:\n((?: .*\n|\n(?= ))*)`, 'm').exec(stdout)?.[1] ?? '';
  const options = [...part('Options').matchAll(/^ {2}(-.*?)(?: {2}|$)/gm)].flatMap(
    ([, text = '']) => text.match(/--?[A-Za-z][\w-]*/g) ?? [],
  );
  const below = [...part('Commands').matchAll(/^ {2}(\S+)/gm)]
    .map((match) => match[1]!)
    .filter((name) => name !== 'help');
  const helps = await Promise.all(below.map((name) => readHelp(host, [...words, name])));
  const own = options.filter((option) => !['-h', '--help', '-V', '--version', '--root'].includes(option));
  return [...(words.length === 0 ? [] : [{ name: words.join(' '), options: own }]), ...helps.flat()];
}

test('every command and option of --help is in commands.md, and no other', async () => {
  await using host = createHost();
  const helps = await readHelp(host, []);
  expect(helps.length).toBeGreaterThan(15);
  const problems: string[] = [];
  const tops = [...new Set(helps.map(({ name }) => name.split(' ')[0]!))];
  for (const top of tops) {
    let section: string;
    try {
      section = sectionOf(page, top);
    } catch {
      problems.push(`${top} has no section`);
      continue;
    }
    const family = helps.filter(({ name }) => name === top || name.startsWith(`${top} `));
    for (const { name } of family)
      if (!section.includes(`pullyu ${name}`)) problems.push(`"pullyu ${name}" is not in its section`);
    const real = new Set(family.flatMap(({ options }) => options));
    const documented = new Set(
      rowsOf(section, 'option').flatMap(([cell = '']) =>
        codesIn(cell).flatMap((code) => code.match(/^--?[A-Za-z][\w-]*/) ?? []),
      ),
    );
    for (const option of real)
      if (!documented.has(option)) problems.push(`${top} ${option} is not documented`);
    for (const option of documented) if (!real.has(option)) problems.push(`${top} ${option} is invented`);
    if (!page.slice(0, page.indexOf('\n## ')).includes(`(#${top})`))
      problems.push(`${top} is not in the list on top`);
  }
  const sections = [...page.replace(/```[\s\S]*?```/g, '').matchAll(/^## (.*)$/gm)].map((match) => match[1]!);
  for (const name of sections)
    if (name !== 'Of every command' && !tops.includes(name)) problems.push(`there is no command ${name}`);
  expect(problems).toEqual([]);
});

test('every command that a page mentions is there', async () => {
  await using host = createHost();
  const known = new Set((await readHelp(host, [])).map(({ name }) => name.split(' ')[0]!));
  const unknown: string[] = [];
  for (const [name, text] of readPages()) {
    for (const [, word = ''] of text.matchAll(
      /(?:`|^\$ )(?:sudo )?pullyu (?:--root \S+ )?([a-z][a-z-]*)/gm,
    )) {
      if (!known.has(word)) unknown.push(`${name}: pullyu ${word}`);
    }
  }
  expect(unknown).toEqual([]);
});
