import { readFileSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { exampleSpec } from '../../tests/support/run-spec.ts';
import { tempFolder } from '../../tests/support/temp.ts';
import { ownAccount, parseAccount } from './account.ts';
import { DEFAULT_PATH, labelVariables, pathWith } from './environment.ts';
import { runFiles } from './run-files.ts';
import { isStarted } from './spec.ts';
import { startRun } from './start.ts';

/** Name and value of every row, in the order of the page. */
function documented(): Map<string, string> {
  const text = readFileSync(new URL('../../docs/environment.md', import.meta.url), 'utf8');
  return new Map(
    Array.from(text.matchAll(/^\| `([A-Z_0-9<>]+)` \| (.*) \|$/gm), (row) => [row[1]!, row[2]!]),
  );
}

async function environmentOf(spec: ReturnType<typeof exampleSpec>): Promise<Record<string, string>> {
  const run = startRun({ ...spec, argv: ['env', '-0'] });
  if (!isStarted(run)) throw new Error(`not started: ${run.note}`);
  expect((await run.done).outcome).toBe('ok');
  const entries = readFileSync(run.outputFile, 'utf8').split('\0').slice(0, -1);
  return Object.fromEntries(
    entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
}

/** bash as /bin/sh adds these by itself; docs/environment.md says so. */
const SHELLS_OWN = ['SHLVL', '_'];

test('an action finds exactly the documented variables', async () => {
  using folder = tempFolder();
  const spec = exampleSpec(folder.path, null, { root: folder.path, env: {} });
  const found = await environmentOf(spec);
  const account = ownAccount();
  const { changedFiles } = runFiles(spec.runFolder);
  const values: Record<string, string> = {
    PULLYU_HOST: 'web-1',
    PULLYU_REPO: 'it',
    PULLYU_ACTION: 'shop',
    PULLYU_COMMIT: 'a'.repeat(40),
    PULLYU_LAST_COMMIT: '',
    PULLYU_REASON: 'changed',
    PULLYU_ATTEMPT: '2',
    PULLYU_INTERRUPTED: '0',
    PULLYU_CHANGED_FILES: changedFiles,
    PULLYU_ROSTER: spec.rosterFile,
    PULLYU_STATE_DIR: spec.stateFolder,
    PULLYU_RUN_ID: spec.intent.id,
    PULLYU_ROOT: folder.path,
    HOME: account.home,
    USER: account.name,
    LOGNAME: account.name,
    SHELL: account.shell,
    PATH: documented().get('PATH')!.replaceAll('`', ''),
    LANG: 'C.UTF-8',
    PWD: spec.tree,
    DEBIAN_FRONTEND: 'noninteractive',
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'safe.directory',
    GIT_CONFIG_VALUE_0: spec.tree,
  };
  const labels = { PULLYU_LABEL_PART: 'app', PULLYU_LABEL_RACK_UNIT: '7' };
  expect(Object.fromEntries(Object.entries(found).filter(([name]) => !SHELLS_OWN.includes(name)))).toEqual({
    ...values,
    ...labels,
  });
  expect([...documented().keys()].filter((name) => name !== 'PULLYU_LABEL_<KEY>').sort()).toEqual(
    Object.keys(values).sort(),
  );

  expect(readFileSync(changedFiles, 'utf8')).toBe('apps/shop/a\napps/shop/b c\n');
  expect(JSON.parse(readFileSync(spec.rosterFile, 'utf8'))).toEqual({
    hosts: [
      {
        ...spec.host,
        addresses: [],
        state: 'working',
        facts: {},
        lastContactAt: expect.stringMatching(/^20.*Z$/),
      },
    ],
  });
  expect(statSync(spec.stateFolder).isDirectory()).toBe(true);
});

test('its own variables come through whole and replace defaults, but not what pullyu says', async () => {
  using folder = tempFolder();
  const odd = 'two\nlines \'quoted\' "double" $HOME `x` \\ ünïcode \u{1f999} = ';
  const found = await environmentOf(
    exampleSpec(folder.path, null, {
      env: {
        ODD: odd,
        EMPTY: '',
        LANG: 'de_DE.UTF-8',
        PULLYU_COMMIT: 'forged',
        PULLYU_RUN_ID: 'forged',
        pid: '1',
        line: '2',
      },
      lastCommit: 'b'.repeat(40) as never,
      interrupted: true,
    }),
  );
  expect(found).toMatchObject({
    ODD: odd,
    EMPTY: '',
    LANG: 'de_DE.UTF-8',
    PULLYU_COMMIT: 'a'.repeat(40),
    PULLYU_LAST_COMMIT: 'b'.repeat(40),
    PULLYU_INTERRUPTED: '1',
    pid: '1',
    line: '2',
  });
  expect(found.PULLYU_RUN_ID).not.toBe('forged');
  expect(found).not.toHaveProperty('PULLYU_ROOT');
});

test('a label is a variable whatever its key', () => {
  expect(labelVariables({ 'a.b-c': '1', Zone: 'eu', ö: 'x' })).toEqual({
    PULLYU_LABEL_A_B_C: '1',
    PULLYU_LABEL_ZONE: 'eu',
    PULLYU_LABEL__: 'x',
  });
});

test('a passwd file gives home and shell, with defaults for what is empty', () => {
  const text =
    'root:x:0:0:root:/root:/bin/bash\n# x\nshop:x:1001:33::/srv/shop:\nbad:x:a:b:::\nnobody:x:1:1:::\n';
  expect(parseAccount(text, 'shop')).toEqual({
    name: 'shop',
    uid: 1001,
    gid: 33,
    home: '/srv/shop',
    shell: '/bin/sh',
  });
  expect(parseAccount(text, 'nobody')?.home).toBe('/');
  expect(parseAccount(text, 'bad')).toBeNull();
  expect(parseAccount(text, 'sho')).toBeNull();
});

test('a script finds pullyu and Node wherever they are, after everything else', () => {
  expect(pathWith(['/usr/bin/pullyu', '/usr/local/bin/node'])).toBe(DEFAULT_PATH);
  expect(pathWith(['/opt/pullyu/bin/pullyu', '/opt/node/bin/node', '/opt/node/bin/npm'])).toBe(
    `${DEFAULT_PATH}:/opt/pullyu/bin:/opt/node/bin`,
  );
  expect(pathWith(['', 'pullyu', '/odd:folder/pullyu'])).toBe(DEFAULT_PATH);
});
