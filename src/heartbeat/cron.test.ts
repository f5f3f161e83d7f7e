import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  addCrontabLine,
  hasCrontabLine,
  removeCrontabLine,
  renderCronCommand,
  renderCronFile,
  renderCrontabLine,
} from './cron.ts';

const SCRIPT = '/etc/pullyu/heartbeat.sh';
const line = renderCrontabLine(SCRIPT, 'pullyu');

test('one line calls one script, once a minute', () => {
  const lines = renderCronFile(SCRIPT)
    .split('\n')
    .filter((text) => text !== '' && !text.startsWith('#'));
  expect(lines).toEqual([
    '* * * * * root [ ! -x /etc/pullyu/heartbeat.sh ] || exec /etc/pullyu/heartbeat.sh',
  ]);
});

test('a crontab keeps every foreign line, and holds ours once', () => {
  const foreign = 'MAILTO=ann@example.com\n\n# a comment\n5 4 * * * /usr/local/bin/backup # pullyu-ish\n';
  const once = addCrontabLine(foreign, line, 'pullyu');
  expect(once).toBe(`${foreign}${line}\n`);
  expect(addCrontabLine(once, line, 'pullyu')).toBe(once);
  expect(removeCrontabLine(once, 'pullyu')).toBe(foreign);
});

test('a newer line takes the place of the older one', () => {
  const old = `a\n* * * * * /old/heartbeat.sh # pullyu\nb\n`;
  expect(addCrontabLine(old, line, 'pullyu')).toBe(`a\n${line}\nb\n`);
});

test('roots do not take the lines of one another', () => {
  const both = addCrontabLine(
    addCrontabLine('', line, 'pullyu'),
    renderCrontabLine('/x.sh', 'pullyu-1a2b3c4d'),
    'pullyu-1a2b3c4d',
  );
  expect(removeCrontabLine(both, 'pullyu')).toContain('/x.sh');
  expect(hasCrontabLine(both, 'pullyu')).toBe(true);
  expect(hasCrontabLine(removeCrontabLine(both, 'pullyu'), 'pullyu')).toBe(false);
});

test('a line that was commented out is somebody else’s decision and stays', () => {
  expect(removeCrontabLine(`#${line}\n`, 'pullyu')).toBe(`#${line}\n`);
  expect(hasCrontabLine(`#${line}\n`, 'pullyu')).toBe(false);
});

test.each(['/srv/100%/x.sh', '/srv/a\\b/x.sh', '/srv/a\nb/x.sh', `/${'x'.repeat(500)}`])(
  'a path that a line of cron cannot hold is refused: %j',
  (path) => {
    expect(() => renderCronCommand(path)).toThrow(/cannot hold the path/);
  },
);

test('adding and removing gives any crontab back', () => {
  const text = fc
    .array(fc.string({ unit: 'binary' }).map((s) => s.replaceAll(/[\n\r]/g, ' ')))
    .map((a) => a.map((s) => `${s}\n`).join(''));
  fc.assert(
    fc.property(text, (crontab) => {
      fc.pre(!hasCrontabLine(crontab, 'pullyu'));
      expect(removeCrontabLine(addCrontabLine(crontab, line, 'pullyu'), 'pullyu')).toBe(crontab);
    }),
  );
});
