import { expect, test } from 'vitest';
import type { Action } from '../model/action.ts';
import type { CommitId } from '../model/ids.ts';
import type { Plan } from '../model/plan.ts';
import {
  DAY,
  exampleAction,
  exampleCommit,
  exampleInput,
  exampleMemory,
  exampleRepo,
  exampleRun,
  failing,
  HOUR,
  type InputValues,
  MINUTE,
  NOW,
  type RepoValues,
  succeeded,
} from './example-values.ts';
import { planLook } from './look.ts';

function plan(actions: readonly Action[], values: InputValues = {}, repo: RepoValues = {}): Plan {
  return planLook(exampleInput({ repos: [exampleRepo({ ...repo, actions })], ...values }));
}

function sentences(of: Plan): string[] {
  return of.steps.map((step) => step.sentence);
}

const shop = exampleAction();
const commit = exampleCommit;

test('an action that is new on this host runs for the first time', () => {
  const first = plan([shop]);
  expect(sentences(first)).toEqual(['shop: runs for the first time on this host.']);
  expect(first.steps[0]).toMatchObject({
    due: true,
    reason: 'first',
    attempt: 1,
    commit: commit(1),
    purpose: 'work',
  });
  expect(first.nextDueAt).toBe(NOW);
});

test('nothing is due while nothing that it depends on changed, whatever commits arrive', () => {
  const rest = plan([shop], { memory: [succeeded(shop)] }, { target: commit(7) });
  expect(sentences(rest)).toEqual([
    'shop: rests, nothing that it depends on changed since its last success at 1000000.',
  ]);
  expect(rest.steps[0]).toMatchObject({ due: false, reason: 'current', notBefore: null });
  expect(rest.nextDueAt).toBeNull();
});

test('changed content, definition and labels are told apart', () => {
  const memory = [succeeded(shop)];
  expect(sentences(plan([shop], { memory }, { content: 'new' }))).toEqual([
    'shop: runs, its content differs from that of its last success (1000000).',
  ]);
  expect(sentences(plan([{ ...shop, env: { A: '1' } }], { memory }))).toEqual([
    'shop: runs, its definition differs from that of its last success (1000000).',
  ]);
  const forApps = exampleAction({ hosts: { part: ['app', 'web'] } });
  expect(sentences(plan([forApps], { memory: [succeeded(forApps)], labels: { part: 'web' } }))).toEqual([
    'shop: runs, the labels that it names differ from those of its last success (1000000).',
  ]);
  expect(sentences(plan([{ ...shop, user: 'shop' }], { memory }, { content: 'new' }))).toEqual([
    'shop: runs, its content and its definition differ from those of its last success (1000000).',
  ]);
});

test('a longer timeout, other limits, another retry policy or other triggers re-run nothing', () => {
  const changed = {
    ...shop,
    timeoutMs: 1,
    limits: { memory: 1 },
    retry: { ...shop.retry, attempts: 9 },
    undo: ['undo.sh'],
  };
  expect(plan([changed], { memory: [succeeded(shop)] }).steps[0]?.reason).toBe('current');
});

test('a revert to older content runs it again', () => {
  const memory = [succeeded(shop, { commit: commit(2) }, 'new')];
  expect(plan([shop], { memory }, { target: commit(3), content: 'old' }).steps[0]).toMatchObject({
    due: true,
    reason: 'changed',
    attempt: 1,
  });
});

test('a failed commit that is reverted is run over, for it may have done a part of its work', () => {
  const last = exampleRun(shop, { outcome: 'failed', commit: commit(2), id: 'bad' }, 'bad');
  const memory = [
    exampleMemory(shop, { lastSuccess: exampleRun(shop), lastRun: last, attempts: 1, failures: 1 }),
  ];
  const revert = plan([shop], { memory }, { target: commit(3) });
  expect(sentences(revert)).toEqual([
    'shop: runs again, its last run at 2000000 failed with exit code 1 and may have done a part of its work.',
  ]);
  expect(revert.steps[0]).toMatchObject({ reason: 'retry', attempt: 1 });
});

test('a failed action waits, then is tried again', () => {
  const memory = [failing(shop, { endedAt: NOW - 1000, attempts: 2 })];
  const waits = plan([shop], { memory });
  expect(sentences(waits)).toEqual([
    'shop: waits until 2026-11-25T11:01:44Z, attempt 2 failed with exit code 1.',
  ]);
  const at = waits.nextDueAt ?? 0;
  expect(at).toBeGreaterThan(NOW);
  expect(plan([shop], { memory, now: at - 1 }).steps[0]?.due).toBe(false);
  const again = plan([shop], { memory, now: at });
  expect(sentences(again)).toEqual([
    'shop: runs again, attempt 2 failed with exit code 1 and its wait is over.',
  ]);
  expect(again.steps[0]).toMatchObject({ due: true, reason: 'retry', attempt: 3 });
});

test('a new commit gives one immediate try to an action that backs off', () => {
  const memory = [failing(shop, { endedAt: NOW - 1000 })];
  const again = plan([shop], { memory }, { target: commit(2) });
  expect(sentences(again)).toEqual([
    'shop: runs again, attempt 1 failed with exit code 1 at 1000000 and a new commit came.',
  ]);
  const tried = [failing(shop, { endedAt: NOW - 1000, attempts: 2, commit: commit(2) })];
  expect(plan([shop], { memory: tried }, { target: commit(2) }).steps[0]?.reason).toBe('backing-off');
});

test('new content starts the count of attempts anew', () => {
  const memory = [failing(shop, { endedAt: NOW - 1000, attempts: 9 })];
  expect(plan([shop], { memory }, { target: commit(2), content: 'fix' }).steps[0]).toMatchObject({
    due: true,
    reason: 'first',
    attempt: 1,
    sentence: 'shop: runs, it has not succeeded on this host yet.',
  });
});

test('after its attempts it is parked, and tried once a day', () => {
  const endedAt = NOW - HOUR;
  const memory = [failing(shop, { attempts: 3, endedAt })];
  const parked = plan([shop], { memory });
  expect(sentences(parked)).toEqual([
    'shop: is parked, it failed 3 times in a row, the last attempt failed with exit code 1; it is tried again at 2026-11-26T10:00:00Z, by a new commit, or by "pullyu redo shop".',
  ]);
  expect(parked.nextDueAt).toBe(endedAt + DAY);
  const slow = plan([shop], { memory, now: endedAt + DAY });
  expect(sentences(slow)).toEqual([
    'shop: runs again, it failed 3 times in a row, the last attempt failed with exit code 1, and is still tried once a day.',
  ]);
});

test('a script that asks for a human is parked at once, until a new commit comes', () => {
  const memory = [failing(shop, { exitCode: 78 })];
  const parked = plan([shop], { memory, now: NOW + 9 * DAY });
  expect(sentences(parked)).toEqual([
    'shop: is parked, attempt 1 asked for a human (exit code 78); a new commit or "pullyu redo shop" tries it again.',
  ]);
  expect(parked.nextDueAt).toBeNull();
  expect(plan([shop], { memory }, { target: commit(2) }).steps[0]?.due).toBe(true);
});

test('a script that asks to be tried again backs off and is never parked for it', () => {
  const memory = [failing(shop, { exitCode: 75, attempts: 9, endedAt: NOW - 1000 })];
  const waits = plan([shop], { memory });
  expect(sentences(waits)[0]).toMatch(
    /^shop: waits until .*, attempt 9 asked to be tried again \(exit code 75\)\.$/,
  );
  expect(waits.nextDueAt).toBeGreaterThan(NOW + 40 * MINUTE);
});

test('a script that took too long or could not be started counts as failed', () => {
  const late = [failing(shop, { outcome: 'timed-out', endedAt: NOW - 1 })];
  expect(sentences(plan([shop], { memory: late }))[0]).toContain('attempt 1 took longer than 10 min.');
  const refused = [failing(shop, { outcome: 'refused', attempts: 3 })];
  expect(plan([shop], { memory: refused }).steps[0]).toMatchObject({ reason: 'parked' });
  expect(sentences(plan([shop], { memory: refused }))[0]).toContain('the last attempt could not be started');
});

test('a clock that was set back keeps nothing waiting for the time that it showed before', () => {
  const memory = [failing(shop, { endedAt: NOW + 365 * DAY })];
  expect(plan([shop], { memory }).steps[0]?.due).toBe(true);
});

test('a cut-off idempotent action runs again at once, also after a restart of the machine', () => {
  const memory = [failing(shop, { outcome: 'interrupted', endedAt: NOW })];
  expect(sentences(plan([shop], { memory }))).toEqual(['shop: runs again, attempt 1 was cut off.']);
  const restarted = plan([shop], {
    memory: [failing(shop, { outcome: 'interrupted', reboots: 1 })],
    bootId: 'boot-2',
  });
  expect(sentences(restarted)).toEqual([
    'shop: runs again, attempt 1 was cut off by a restart of the machine.',
  ]);
  expect(restarted.steps[0]).toMatchObject({ due: true, reason: 'interrupted', attempt: 2 });
});

test('cut off again and again on one boot it backs off', () => {
  const memory = [failing(shop, { outcome: 'interrupted', attempts: 2, endedAt: NOW })];
  expect(plan([shop], { memory }).steps[0]).toMatchObject({ due: false, reason: 'backing-off' });
  expect(plan([shop], { memory, now: NOW + 2 * MINUTE }).steps[0]).toMatchObject({
    due: true,
    reason: 'interrupted',
  });
});

test('three restarts of the machine in a row park it', () => {
  const memory = [failing(shop, { outcome: 'interrupted', attempts: 3, reboots: 3 })];
  const parked = plan([shop], { memory, bootId: 'boot-4' });
  expect(sentences(parked)).toEqual([
    'shop: is parked, 3 restarts of the machine in a row cut it off; a new commit or "pullyu redo shop" tries it again.',
  ]);
  expect(parked.nextDueAt).toBeNull();
});

test('a run that gave way to a newer commit is due as before', () => {
  const memory = [failing(shop, { outcome: 'superseded', endedAt: NOW, failures: 0 })];
  expect(plan([shop], { memory }).steps[0]).toMatchObject({ due: true, reason: 'first', attempt: 2 });
});

test('an open run is waited for', () => {
  const memory = [exampleMemory(shop, { lastRun: exampleRun(shop, { outcome: null }), attempts: 1 })];
  expect(sentences(plan([shop], { memory }))).toEqual([
    'shop: is running at 1000000 since 2026-11-25T09:59:00Z.',
  ]);
});

test('the operator can ask for an action that is current, or parked', () => {
  const current = { ...succeeded(shop), redo: true };
  expect(sentences(plan([shop], { memory: [current] }))).toEqual(['shop: runs, the operator asked for it.']);
  const parked = { ...failing(shop, { exitCode: 78 }), redo: true };
  expect(plan([shop], { memory: [parked] }).steps[0]).toMatchObject({
    due: true,
    reason: 'redo',
    attempt: 2,
  });
});

test('a pause holds everything back, says what it holds back, and ends', () => {
  const pause = { reason: 'moving the\u001b[31m database', since: NOW - 1, until: NOW + HOUR };
  const other = exampleAction({ name: 'other' });
  const memory = [succeeded(shop), failing(other, { endedAt: NOW })];
  const paused = plan([exampleAction({ name: 'new' }), shop, other], { memory, pause });
  expect(sentences(paused)).toEqual([
    'new: is paused until 2026-11-25T12:00:00Z (moving the\\x1b[31m database); without the pause it runs for the first time on this host.',
    'shop: rests, nothing that it depends on changed since its last success at 1000000.',
    expect.stringMatching(/^other: waits until 2026-11-25T11:0/),
  ]);
  expect(paused.steps.map((step) => step.due)).toEqual([false, false, false]);
  expect(paused.nextDueAt).toBe(pause.until);
  expect(plan([shop], { pause, now: pause.until }).steps[0]?.due).toBe(true);
});

test('an action for other hosts is left alone', () => {
  const lb = exampleAction({ name: 'lb', hosts: { part: ['lb', 'proxy'], zone: 'eu' } });
  expect(sentences(plan([lb]))).toEqual([
    'lb: is not for this host: it is for part=lb|proxy, zone=eu, this host has part=app, no zone.',
  ]);
});

test('what was done is undone when the host leaves the selection, and before any work', () => {
  const lb = exampleAction({ name: 'lb', hosts: { part: 'lb' }, undo: ['lb/remove.sh'], user: 'lb' });
  const undone = plan([shop, lb], { memory: [succeeded(lb)] }, { target: commit(4) });
  expect(sentences(undone)).toEqual([
    'lb: is undone, this host is no longer among its hosts (part=lb).',
    'shop: runs for the first time on this host.',
  ]);
  expect(undone.steps[0]).toMatchObject({
    purpose: 'undo',
    reason: 'undo',
    commit: commit(4),
    undo: { run: ['lb/remove.sh'], user: 'lb' },
  });
});

test('an action that vanished is undone as its last success said, in the tree of that time', () => {
  const gone = exampleAction({ name: 'gone', undo: ['gone/remove.sh'] });
  const undone = plan([], { memory: [succeeded(gone, { commit: commit(3) })] }, { target: commit(4) });
  expect(sentences(undone)).toEqual(['gone: is undone, it is no longer in the repository.']);
  expect(undone.steps[0]).toMatchObject({
    commit: commit(3),
    definition: null,
    undo: { run: ['gone/remove.sh'] },
  });
  expect(plan([], { memory: [succeeded(exampleAction({ name: 'gone' }))] }).steps).toEqual([]);
  const never = exampleMemory(gone, { lastRun: exampleRun(gone, { outcome: 'failed' }) });
  expect(plan([], { memory: [never] }).steps).toEqual([]);
});

test('an undo that fails is tried again with the patience of work', () => {
  const lb = exampleAction({ name: 'lb', hosts: { part: 'lb' }, undo: ['lb/remove.sh'] });
  const asked = plan([lb], { memory: [succeeded(lb)] }).steps[0];
  const lastRun = exampleRun(lb, {
    id: 'undo-1',
    purpose: 'undo',
    outcome: 'failed',
    endedAt: NOW,
    fingerprint: asked?.fingerprint ?? '',
  });
  const memory = [{ ...succeeded(lb), lastRun, attempts: 1, failures: 1 }];
  expect(sentences(plan([lb], { memory }))[0]).toMatch(
    /^lb: waits until .*, attempt 1 failed with exit code 1; this host is no longer among its hosts \(part=lb\)\.$/,
  );
  const again = plan([lb], { memory, now: NOW + HOUR });
  expect(again.steps[0]).toMatchObject({ due: true, reason: 'undo', attempt: 2 });
  expect(sentences(again)).toEqual([
    'lb: is undone again, attempt 1 failed with exit code 1 and its wait is over; this host is no longer among its hosts (part=lb).',
  ]);
  // Selected again meanwhile: half undone is not done.
  expect(sentences(plan([lb], { memory, labels: { part: 'lb' } }))).toHaveLength(1);
  expect(plan([lb], { memory, labels: { part: 'lb' } }).steps[0]?.due).toBe(true);
});

test('what was undone runs again when the host is selected again', () => {
  const memory = { ...succeeded(shop), applied: false };
  expect(sentences(plan([shop], { memory: [memory] }))).toEqual([
    'shop: runs, it was undone on this host since its last success.',
  ]);
});

test('an action for every look runs at every look, and after a failure less often', () => {
  const look = exampleAction({ on: [{ type: 'look' }] });
  expect(sentences(plan([look], { memory: [succeeded(look)] }))).toEqual(['shop: runs, as at every look.']);
  const once = failing(look, { endedAt: NOW });
  expect(plan([look], { memory: [once] }).steps[0]).toMatchObject({ due: true, reason: 'retry' });
  const often = failing(look, { attempts: 50, endedAt: NOW });
  const waits = plan([look], { memory: [often] });
  expect(waits.steps[0]).toMatchObject({ due: false, reason: 'backing-off' });
  expect(waits.nextDueAt).toBeLessThanOrEqual(NOW + 10 * MINUTE);
});

test('an action for every boot runs once on each, and gets a fresh try on the next', () => {
  const boot = exampleAction({ on: [{ type: 'boot' }] });
  expect(sentences(plan([boot], { memory: [succeeded(boot)] }, { content: 'new' }))).toEqual([
    'shop: rests, it succeeded at 1000000 since the machine was started.',
  ]);
  expect(sentences(plan([boot], { memory: [succeeded(boot)], bootId: 'boot-2' }))).toEqual([
    'shop: runs, the machine was started since its last success at 1000000.',
  ]);
  const parked = failing(boot, { attempts: 3 });
  expect(plan([boot], { memory: [parked] }).steps[0]?.reason).toBe('parked');
  expect(plan([boot], { memory: [parked], bootId: 'boot-2' }).steps[0]?.due).toBe(true);
});

test('a bootstrap action runs until its first success and then never', () => {
  const init = exampleAction({ name: 'init', on: [{ type: 'bootstrap' }] });
  expect(plan([init]).steps[0]).toMatchObject({ due: true, reason: 'first' });
  expect(plan([init], { memory: [failing(init, { endedAt: NOW })] }).steps[0]?.reason).toBe('backing-off');
  expect(
    sentences(plan([init], { memory: [succeeded(init)], bootId: 'boot-2' }, { content: 'new' })),
  ).toEqual(['init: rests, it is done once on a host and succeeded at 1000000.']);
});

test('a scheduled action waits for its time, whatever changes', () => {
  const backup = exampleAction({ name: 'backup', on: [{ type: 'schedule', cron: '17 3 * * *', tz: 'UTC' }] });
  const done = succeeded(backup, { endedAt: NOW - HOUR });
  const waits = plan([backup], { memory: [done] }, { content: 'new' });
  expect(sentences(waits)).toEqual(['backup: waits for its next scheduled time, 2026-11-26T03:17:00Z.']);
  const at = Date.UTC(2026, 10, 26, 3, 17);
  expect(waits.nextDueAt).toBe(at);
  expect(sentences(plan([backup], { memory: [done], now: at + 5 * DAY }))).toEqual([
    'backup: runs, its scheduled time 2026-11-26T03:17:00Z has come.',
  ]);
  expect(plan([backup]).steps[0]?.reason).toBe('not-yet');
});

test('a scheduled action that failed is tried again before its next time', () => {
  const backup = exampleAction({ name: 'backup', on: [{ type: 'schedule', cron: '17 3 * * *', tz: 'UTC' }] });
  const failed = failing(backup, { endedAt: NOW - 2 * HOUR });
  expect(plan([backup], { memory: [failed] }).steps[0]).toMatchObject({ due: true, reason: 'retry' });
  expect(plan([backup], { memory: [failed] }, { content: 'new' }).steps[0]?.due).toBe(true);
  const parked = failing(backup, { attempts: 3, endedAt: NOW - 2 * HOUR });
  expect(plan([backup], { memory: [parked] }).nextDueAt).toBe(Date.UTC(2026, 10, 26, 3, 17));
});

test('several triggers: any of them is enough', () => {
  const both = exampleAction({
    on: [{ type: 'change' }, { type: 'schedule', cron: '0 12 * * *', tz: 'UTC' }],
  });
  const memory = [succeeded(both)];
  const rest = plan([both], { memory });
  expect(rest.steps[0]).toMatchObject({ reason: 'current', notBefore: NOW + HOUR });
  expect(plan([both], { memory }, { content: 'new' }).steps[0]?.reason).toBe('changed');
  expect(plan([both], { memory, now: NOW + HOUR }).steps[0]?.reason).toBe('schedule');
});

test('a once action is started once for one fingerprint, however it ended', () => {
  const once = exampleAction({ name: 'migrate', kind: 'once' });
  const at = (memory: ReturnType<typeof failing>, bootId = 'boot-1') =>
    plan([once], { memory: [memory], bootId, now: NOW + 9 * DAY }, { target: commit(5) }).steps[0];
  expect(at(failing(once))?.sentence).toBe(
    'migrate: is parked, its only run failed with exit code 1 and it is started once; "pullyu redo migrate" starts it again.',
  );
  expect(at(failing(once, { outcome: 'timed-out' }))?.reason).toBe('parked');
  expect(at(failing(once, { outcome: 'interrupted' }), 'boot-2')).toMatchObject({
    due: false,
    reason: 'unknown',
    notBefore: null,
    sentence:
      'migrate: is unknown, its only run was cut off and may have done its work; look at the host, then "pullyu redo migrate" if it was not done.',
  });
  expect(at(succeeded(once))?.reason).toBe('current');
  expect(at({ ...failing(once), redo: true })?.due).toBe(true);
  expect(plan([once], { memory: [failing(once)] }, { content: 'new' }).steps[0]?.due).toBe(true);
});

test('a once action that certainly never began may start', () => {
  const once = exampleAction({ kind: 'once' });
  const memory = failing(once, {
    outcome: 'interrupted',
    attempts: 0,
    result: { interruption: 'never-began' },
  });
  expect(plan([once], { memory: [memory] }).steps[0]).toMatchObject({
    due: true,
    reason: 'first',
    attempt: 1,
  });
});

test('a once action does not start again for content that it was started for long ago', () => {
  const once = exampleAction({ kind: 'once' });
  const old = exampleRun(once, {}, 'old').intent.fingerprint;
  const memory = { ...succeeded(once, {}, 'new'), onceStarts: new Map([[old, 'ok' as const]]) };
  expect(sentences(plan([once], { memory: [memory] }, { content: 'old' }))).toEqual([
    'shop: rests, it was done for this content and is done once.',
  ]);
  const undone = { ...memory, applied: false };
  expect(plan([once], { memory: [undone] }, { content: 'old' }).steps[0]?.reason).toBe('parked');
});

const each = exampleAction({ name: 'db', catchUp: 'each' });
const behind: RepoValues = {
  target: commit(9),
  content: 'new',
  histories: { db: [commit(3), commit(5), commit(8)] },
};

test('catching up runs every commit in order, the last with the fingerprint of the target', () => {
  const steps = plan([each], { memory: [succeeded(each)] }, behind).steps;
  expect(steps.map((step) => step.sentence)).toEqual([
    'db: runs for commit 1 of 3 (3000000), each of which touched its paths.',
    'db: runs for commit 2 of 3 (5000000), each of which touched its paths.',
    'db: runs for commit 3 of 3 (8000000), each of which touched its paths.',
  ]);
  expect(steps.map((step) => step.commit)).toEqual([commit(3), commit(5), commit(8)]);
  expect(steps.every((step) => step.due && step.reason === 'catch-up')).toBe(true);
  expect(steps[0]?.fingerprint).toBe(`commit:${commit(3)}`);
  expect(steps[2]?.fingerprint).toBe(exampleRun(each, {}, 'new').intent.fingerprint);
});

test('the first time there is nothing to catch up with, and after one commit nothing in order', () => {
  const first = plan([each], {}, behind).steps;
  expect(first.map((step) => [step.commit, step.reason])).toEqual([[commit(9), 'first']]);
  const one = plan(
    [each],
    { memory: [succeeded(each)] },
    { ...behind, histories: { db: [commit(8)] } },
  ).steps;
  expect(one.map((step) => [step.commit, step.reason])).toEqual([[commit(8), 'changed']]);
});

test('a commit that failed keeps those after it waiting, whatever commit comes', () => {
  const lastRun = exampleRun(each, {
    id: 'r2',
    outcome: 'failed',
    commit: commit(3),
    fingerprint: `commit:${commit(3)}`,
    endedAt: NOW,
  });
  const memory = { ...succeeded(each), lastRun, attempts: 1, failures: 1 };
  const waits = plan([each], { memory: [memory] }, behind);
  expect(sentences(waits)).toEqual([
    expect.stringMatching(/^db: waits until .*, attempt 1 failed with exit code 1 \(commit 1 of 3\)\.$/),
    'db: waits with commit 2 of 3 for commit 1 of 3, which is not done.',
    'db: waits with commit 3 of 3 for commit 2 of 3, which is not done.',
  ]);
  const redo = plan([each], { memory: [{ ...memory, redo: true }] }, behind);
  expect(redo.steps.map((step) => step.reason)).toEqual(['redo', 'catch-up', 'catch-up']);
});

test('a once action catches up without starting one commit twice', () => {
  const once = exampleAction({ name: 'db', catchUp: 'each', kind: 'once' });
  // The last of several to catch up with failed; then one more commit came, so that it is now one in the middle.
  const failed = exampleRun(once, { id: 'r2', outcome: 'failed', commit: commit(5) }, 'then');
  const memory = { ...succeeded(once), lastRun: failed, attempts: 1, failures: 1 };
  const steps = plan(
    [once],
    { memory: [memory] },
    { ...behind, histories: { db: [commit(5), commit(8)] } },
  ).steps;
  expect(steps.map((step) => step.reason)).toEqual(['parked', 'waiting']);
});

test('an action runs after those that it names, and waits for one that did not succeed', () => {
  const app = exampleAction({ name: 'app', after: ['java', 'other-part'] });
  const java = exampleAction({ name: 'java' });
  const other = exampleAction({ name: 'other-part', hosts: { part: 'db' } });
  expect(sentences(plan([app, java, other]))).toEqual([
    'java: runs for the first time on this host.',
    'other-part: is not for this host: it is for part=db, this host has part=app.',
    'app: runs for the first time on this host.',
  ]);
  const held = plan([app, java, other], { memory: [failing(java, { exitCode: 78 })] });
  expect(held.steps.at(-1)).toMatchObject({
    due: false,
    reason: 'waiting',
    sentence: 'app: waits for java, which is parked.',
  });
  expect(plan([app, java, other], { memory: [succeeded(java)] }).steps.at(-1)?.due).toBe(true);
  const current = plan([app, java, other], { memory: [failing(java, { exitCode: 78 }), succeeded(app)] });
  expect(current.steps.at(-1)?.reason).toBe('current');
});

test('an action waits for one that runs, and for one that waits itself', () => {
  const java = exampleAction({ name: 'java' });
  const app = exampleAction({ name: 'app', after: ['java'] });
  const site = exampleAction({ name: 'site', after: ['app'] });
  const open = exampleMemory(java, { lastRun: exampleRun(java, { outcome: null }), attempts: 1 });
  expect(sentences(plan([java, app, site], { memory: [open] })).slice(1)).toEqual([
    'app: waits for java, which is running.',
    'site: waits for app, which waits itself.',
  ]);
});

test('undoing goes the way back: what vanished newest first, then what came after something before that', () => {
  const undo = ['remove.sh'];
  const hosts = { part: 'db' };
  const java = exampleAction({ name: 'java', hosts, undo });
  const app = exampleAction({ name: 'app', hosts, undo, after: ['java'] });
  const [old, young] = [exampleAction({ name: 'old', undo }), exampleAction({ name: 'young', undo })];
  const memory = [succeeded(java), succeeded(app), succeeded(old, { endedAt: NOW - DAY }), succeeded(young)];
  expect(plan([app, java], { memory }).steps.map((step) => step.action)).toEqual([
    'young',
    'old',
    'app',
    'java',
  ]);
});

test('the operator can ask for an undo that is parked', () => {
  const gone = exampleAction({ name: 'gone', undo: ['remove.sh'] });
  const success = succeeded(gone);
  const { fingerprint } = plan([], { memory: [success] }).steps[0] ?? { fingerprint: '' };
  const lastRun = exampleRun(gone, {
    id: 'u',
    purpose: 'undo',
    fingerprint,
    outcome: 'failed',
    exitCode: 78,
  });
  const parked = { ...success, lastRun, attempts: 1, failures: 1 };
  expect(plan([], { memory: [parked] }).steps[0]).toMatchObject({ due: false, reason: 'parked' });
  expect(plan([], { memory: [{ ...parked, redo: true }] }).steps[0]).toMatchObject({
    due: true,
    reason: 'undo',
  });
});

test('a once action passes over a commit that it did before it was taken back', () => {
  const once = exampleAction({ name: 'db', catchUp: 'each', kind: 'once' });
  const memory = { ...succeeded(once), onceStarts: new Map([[`commit:${commit(3)}`, 'ok' as const]]) };
  const steps = plan([once], { memory: [memory] }, behind).steps;
  expect(steps.map((step) => step.commit)).toEqual([commit(5), commit(8)]);
});

test('repos come in the order of the configuration', () => {
  const lib = exampleAction({ repo: 'lib', name: 'lib' });
  const repos = [exampleRepo({ name: 'lib', actions: [lib] }), exampleRepo({ actions: [shop] })];
  const both = planLook(exampleInput({ repos, memory: [succeeded(shop)] }));
  expect(both.steps.map((step) => `${step.repo}/${step.action}`)).toEqual(['lib/lib', 'it/shop']);
  expect(both.steps.map((step) => step.due)).toEqual([true, false]);
});

test('the content of an action that the caller did not give is a defect, not a change', () => {
  const contents = new Map<string, string | null>();
  const repos = [{ ...exampleRepo(), contents, target: commit(1) as CommitId }];
  expect(() => planLook(exampleInput({ repos }))).toThrow('expected the content of "apps/shop/**" for shop');
});
