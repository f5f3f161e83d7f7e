/** What can be said about the examples without running them. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { parseRepoConfig } from '../src/config/repo-config.ts';
import { exampleRepositories, examplesFolder } from './support/example.ts';
import { runProgram } from './support/host.ts';

const EXAMPLES = readdirSync(examplesFolder).filter((name) =>
  statSync(join(examplesFolder, name)).isDirectory(),
);

test('there is an example for every typical kind of work', () => {
  expect(EXAMPLES.sort()).toEqual([
    'backup',
    'convention',
    'fetch-repo',
    'load-balancer',
    'log-offload',
    'migrations',
    'packages',
    'web-app',
  ]);
});

test.each(EXAMPLES)('%s says in its README what it is, and the list of examples names it', (name) => {
  const text = readFileSync(join(examplesFolder, name, 'README.md'), 'utf8');
  expect(text).toMatch(new RegExp(`^# ${name}: `));
  expect(text.split('\n').length).toBeLessThan(60);
  expect(readFileSync(join(examplesFolder, 'README.md'), 'utf8')).toContain(`(${name})`);
});

test.each(exampleRepositories())('pullyu lint finds nothing wrong with %s', async (name) => {
  const ran = await runProgram(['lint', join(examplesFolder, name)], { env: { PATH: process.env.PATH! } });
  expect(ran.stdout + ran.stderr).toMatch(/nothing is wrong/);
  expect(ran.code).toBe(0);
});

const FILES = exampleRepositories()
  .map((name) => `${name}/pullyu.yaml`)
  .filter((path) => existsSync(join(examplesFolder, path)));

test.each(FILES)('%s begins with the line by which editors find its schema', (path) => {
  const file = join(examplesFolder, path);
  const text = readFileSync(file, 'utf8');
  const schema = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text)?.[1];
  expect(existsSync(join(dirname(file), schema ?? 'none'))).toBe(true);
  expect(parseRepoConfig(text, { repo: 'it' }).length).toBeGreaterThan(0);
});

test('every link in their READMEs leads to a file that is there', () => {
  const pages = readdirSync(examplesFolder, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.md'),
  );
  const broken = pages.flatMap((page) => {
    const text = readFileSync(join(examplesFolder, page), 'utf8');
    const targets = [...text.matchAll(/\]\(([^)\s#]+)/g)].map((match) => match[1]!);
    return targets.filter((target) => !existsSync(join(examplesFolder, dirname(page), target)));
  });
  expect(broken).toEqual([]);
});
