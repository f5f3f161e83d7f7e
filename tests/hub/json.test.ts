/** What `pullyu hub` prints with --json against docs/json.md: every field is documented, and none is invented. */
import { readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startChild } from '../support/child.ts';
import { git } from '../support/git.ts';
import { program, runProgram } from '../support/host.ts';
import { codesIn, readPage, rowsOf, sectionOf } from '../support/markdown.ts';
import { tempFolder } from '../support/temp.ts';
import { until } from '../support/until.ts';

type Line = Readonly<Record<string, unknown>>;

const page = readPage('json.md');
const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: '/nonexistent' };
const namesOf = (line: Line) => Object.keys(line).sort();

test('tokens have the documented fields', async () => {
  using temp = tempFolder('hub-json');
  const documented = rowsOf(sectionOf(page, 'hub token'), 'field')
    .map(([field]) => codesIn(field!)[0]!)
    .filter((field) => field !== 'repos[]')
    .sort();
  const say = async (...args: string[]) => {
    const ran = await runProgram(['hub', 'token', ...args, '--repos', temp.path, '--json'], { env });
    expect(ran.stderr).toBe('');
    return ran.json<Line>();
  };
  const made = await say(
    'create',
    '--scope',
    'status',
    '--repo',
    'status',
    '--host',
    'web-1',
    '--note',
    'why',
  );
  expect(made).toMatchObject({
    scope: 'status',
    repos: ['status'],
    host: 'web-1',
    expired: false,
    note: 'why',
  });
  expect(namesOf(made)).toEqual(documented);
  const secretless = documented.filter((field) => field !== 'token');
  const listed = (await say('list')) as { tokens: Line[] };
  expect(listed.tokens.map(namesOf)).toEqual([secretless]);
  expect(namesOf(await say('revoke', String(made.id)))).toEqual(secretless);
  expect(await say('list')).toEqual({ tokens: [] });
  // Nothing of the secret is kept, and nobody else may read what is.
  const file = join(temp.path, '.pullyu-hub/tokens.json');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(file)).mode & 0o777).toBe(0o700);
  expect(readFileSync(file, 'utf8')).not.toContain(String(made.token).split('_')[2]);
});

test('the lines of a hub have the documented fields', async () => {
  const documented = new Map(
    rowsOf(sectionOf(page, 'hub'), 'type').map(([type, fields]) => [
      codesIn(type!)[0]!,
      (fields ?? '').split(', ').flatMap((field) => codesIn(field)[0] ?? []),
    ]),
  );
  using temp = tempFolder('hub-json');
  const repos = join(temp.path, 'repos');
  const forge = join(temp.path, 'forge.git');
  for (const bare of [join(repos, 'it.git'), forge]) await git(['init', '--quiet', '--bare', bare]);
  const tree = await git(['hash-object', '-t', 'tree', '-w', '--stdin'], { cwd: forge });
  const commit = await git(['commit-tree', tree, '-m', 'one'], { cwd: forge });
  await git(['update-ref', 'refs/heads/main', commit], { cwd: forge });
  const made = await runProgram(
    ['hub', 'token', 'create', '--repos', repos, '--scope', 'write', '--repo', '*'],
    { env },
  );
  const mirror = ['--mirror', `copy=${forge}`, '--mirror-interval', '1s'];
  await using hub = startChild(
    [program, 'hub', '--repos', repos, '--listen', '127.0.0.1:0', ...mirror, '--json'],
    { env },
  );
  const lines = () =>
    hub
      .output()
      .split('\n')
      .filter((text) => text.endsWith('}'))
      .map((text) => JSON.parse(text) as Line);
  const untilType = (type: string) =>
    until(() => lines().find((line) => line.type === type), { what: type, found: () => hub.output() });
  const url = new URL(String((await untilType('listening')).url));
  await untilType('mirrored');
  rmSync(forge, { recursive: true });
  await untilType('mirror-trouble');
  url.username = 'x';
  url.password = made.stdout.trim();
  await git(['push', '--quiet', `${url}it.git`, `${commit}:refs/heads/main`], {
    cwd: join(repos, 'copy.git'),
  });
  await untilType('pushed');
  hub.kill('SIGTERM');
  expect(await hub.ended).toEqual({ exitCode: 0, signal: null });
  const types = new Set(lines().map((line) => String(line.type)));
  expect(types).toEqual(new Set(['listening', 'mirrored', 'mirror-trouble', 'pushed', 'stopping']));
  for (const line of lines())
    expect({ line, names: namesOf(line) }).toEqual({
      line,
      names: ['time', 'type', ...documented.get(String(line.type))!].sort(),
    });
  const src = fileURLToPath(new URL('../../src', import.meta.url));
  const source = ['hub/hub-event.ts', 'cli/hub.ts']
    .map((file) => readFileSync(join(src, file), 'utf8'))
    .join('');
  const inSource = [...source.matchAll(/readonly type: '([a-z-]+)'/g)].map((match) => match[1]!);
  expect([...documented.keys()].sort()).toEqual([...new Set(inSource)].sort());
});
