/** What the pages for newcomers tell to write and to type works as it stands. */
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parseRepoConfig } from '../src/config/repo-config.ts';
import { type ExecResult, exec } from '../src/system/exec.ts';
import { gitEnvironment } from './support/git.ts';
import { program, runProgram } from './support/host.ts';
import { tempFolder } from './support/temp.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const PAGES = ['docs/quick-start.md', 'docs/writing-actions.md'];

function blocksOf(page: string, language: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    (match) => match[1]!,
  );
}

test.each(PAGES)('every pullyu.yaml in %s is valid', (page) => {
  const blocks = blocksOf(page, 'yaml');
  expect(blocks).not.toEqual([]);
  for (const text of blocks) expect(parseRepoConfig(text, { repo: 'it', file: text })).not.toEqual([]);
});

test.each(PAGES)('every shell example in %s is shell', async (page) => {
  for (const input of blocksOf(page, 'sh')) {
    const result = await exec(['/bin/sh', '-n'], { env: {}, input, timeoutMs: 10_000 });
    expect({ input, stderr: result.stderr }).toEqual({ input, stderr: '' });
  }
});

test('every command and option in the shell examples is one that there is', async () => {
  const helps = new Map<string, string>();
  const help = async (words: string[]) => {
    const key = words.join(' ');
    const known =
      helps.get(key) ?? (await runProgram([...words, '--help'], { env: { PATH: process.env.PATH! } })).stdout;
    helps.set(key, known);
    return known;
  };
  const calls = PAGES.flatMap((page) => blocksOf(page, 'sh'))
    .flatMap((text) => text.split('\n'))
    .flatMap(
      (line) =>
        /(?:^|\s)pullyu (?!\w+\.)(?:--root \S+ )?([a-z][a-z-]*\b.*|--version.*)$/.exec(
          line.replace(/\s#.*/, ''),
        )?.[1] ?? [],
    );
  expect(calls.length).toBeGreaterThan(10);
  for (const call of calls) {
    const [command = '', ...words] = call.split(/\s+/);
    expect(await help([]), call).toContain(`  ${command} `);
    for (const option of words.filter((word) => word.startsWith('--')))
      expect(await help([command]), call).toContain(option);
  }
});

/** Runs a block as a newcomer would type it: an own home folder, `pullyu` on the PATH, the checkout as working directory. */
async function type(block: string, home: string): Promise<ExecResult> {
  const bin = join(home, 'bin');
  mkdirSync(bin);
  symlinkSync(program, join(bin, 'pullyu'));
  const env = { ...gitEnvironment, HOME: home, PATH: `${bin}:${process.env.PATH}`, NO_COLOR: '1' };
  return exec(['/bin/sh', '-eu', '-c', block], { env, cwd: root, timeoutMs: 60_000 });
}

async function typed(page: string, containing: string): Promise<string> {
  using home = tempFolder('home');
  const block = blocksOf(page, 'sh').find((text) => text.includes(containing)) ?? '';
  const result = await type(block, home.path);
  expect(result.exitCode, `${result.stdout}${result.stderr}`).toBe(0);
  return result.stdout.toString();
}

test('the quick start in a folder shows what it says', async () => {
  const text = await typed('docs/quick-start.md', 'pullyu --root ~/host bootstrap');
  expect(text).toMatch(/nothing is wrong[\s\S]*\nRun from git\.\n[\s\S]*\nRun from git, by pullyu\.\n/);
  expect(text).toContain('motd: rests, nothing that it depends on changed since its last success');
});

test('the try-outs in the READMEs of the examples show what they say', async () => {
  expect(await typed('examples/backup/README.md', 'pullyu --root')).toMatch(/elsewhere:\ndb-\w+\.tar\.gz\n/);
  const text = await typed('examples/fetch-repo/README.md', 'pullyu --root');
  expect(text).toMatch(/(<h1>The first version<\/h1>\n){2}$/);
});
