import { expect, test } from 'vitest';
import { objectionTo, type TriedAction, verdictOf } from './try-verdict.ts';

const ok = (fingerprint: string) => ({ outcome: 'ok', exitCode: 0, fingerprint }) as const;
const failed = (fingerprint: string) => ({ outcome: 'failed', exitCode: 3, fingerprint }) as const;

test.each<[string, Partial<TriedAction>, string, string | null]>([
  ['not edited, not tried', { before: 'new' }, 'unchanged', null],
  ['edited, not tried', {}, 'never', 'deploy was changed and never tried'],
  ['new, not tried', { before: null }, 'never', 'deploy was changed and never tried'],
  ['edited and tried well', { run: ok('new') }, 'ok', null],
  [
    'edited again after a good try',
    { run: ok('between') },
    'edited',
    'deploy was changed since its last try',
  ],
  ['edited back to what it was', { before: 'new', run: ok('between') }, 'unchanged', null],
  ['edited and failed', { run: failed('new') }, 'failed', 'the last try of deploy failed with exit code 3'],
  [
    'edited and cut off',
    { run: { outcome: 'timed-out', exitCode: null, fingerprint: 'new' } },
    'failed',
    'the last try of deploy was timed-out',
  ],
  [
    'not edited, and its try failed: no fault of the edits',
    { before: 'new', run: failed('new') },
    'failed',
    null,
  ],
  ['edited, but for other hosts', { here: false }, 'not-here', null],
])('%s', (_, more, verdict, objection) => {
  const action = { name: 'deploy', fingerprint: 'new', before: 'old', here: true, run: null, ...more };
  expect({ verdict: verdictOf(action), objection: objectionTo(action) }).toEqual({ verdict, objection });
});
