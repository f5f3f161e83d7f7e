import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { needsRoot } from '../../tests/support/needs.ts';
import { createPrivateCron } from '../../tests/support/private-cron.ts';
import { addCrontabLine, removeCrontabLine, renderCrontabLine } from './cron.ts';
import { readCrontab, writeCrontab } from './crontab.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pullyu-crontab-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const env = { PATH: process.env.PATH ?? '' };
const line = renderCrontabLine(`/home/ann/it's mine/heartbeat.sh`, 'pullyu');
needsRoot(
  'cron',
  'crontab',
  'unshare',
)('the real crontab takes our line and gives it back', async () => {
  const tools = { env, crontab: [...createPrivateCron(folder).inside, 'crontab'] };
  expect(await readCrontab(tools)).toBe('');

  const foreign = '# a comment\n5 4 * * * /usr/local/bin/backup\n';
  await writeCrontab(tools, foreign);
  await writeCrontab(tools, addCrontabLine(await readCrontab(tools), line, 'pullyu'));
  expect(await readCrontab(tools)).toBe(`${foreign}${line}\n`);

  await writeCrontab(tools, removeCrontabLine(await readCrontab(tools), 'pullyu'));
  expect(await readCrontab(tools)).toBe(foreign);
  await writeCrontab(tools, '');
  expect(await readCrontab(tools)).toBe('');
});

test('a crontab that may not be read is an error, never an empty crontab', async () => {
  const refusing = join(folder, 'crontab');
  writeFileSync(
    refusing,
    `#!/bin/sh\necho 'You (ann) are not allowed to use this program (crontab)' >&2\nexit 1\n`,
    { mode: 0o755 },
  );
  await expect(readCrontab({ env, crontab: [refusing] })).rejects.toThrow(
    'cannot read the crontab: You (ann) are not allowed to use this program (crontab)',
  );
});

test('a machine without the program crontab is told so', async () => {
  await expect(readCrontab({ env: { PATH: folder } })).rejects.toThrow('expected the program "crontab"');
});

test('a shell runs the command of the line as it stands', () => {
  const script = join(folder, `it's mine.sh`);
  writeFileSync(script, '#!/bin/sh\necho ran\n', { mode: 0o755 });
  const command = renderCrontabLine(script, 'pullyu').replace('* * * * * ', '');
  expect(spawnSync('/bin/sh', ['-c', command], { encoding: 'utf8' }).stdout).toBe('ran\n');
});
