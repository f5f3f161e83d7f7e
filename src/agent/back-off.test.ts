import { expect, test } from 'vitest';
import type { HostId } from '../model/ids.ts';
import { createBackOff, formatSavedBackOff, readSavedBackOff } from './back-off.ts';

const peace = { intervalMs: 1_000, hostId: 'host' as HostId, failures: 0, retryAfterMs: null };

test('a repo that is asked in vain is left alone, the longer the more often, and the others are not', () => {
  let now = 0;
  const backOff = createBackOff(() => now);
  backOff.note('dead', { ...peace, failures: 1 });
  backOff.note('live', peace);
  expect([backOff.isOn('dead'), backOff.isOn('live'), backOff.isOn('unknown')]).toEqual([true, false, false]);
  expect(backOff.askInMs(['dead', 'live'])).toBeNull();
  const first = backOff.askInMs(['dead'])!;
  expect(first).toBeGreaterThanOrEqual(1_000);
  now = first;
  expect(backOff.isOn('dead')).toBe(false);
  backOff.note('dead', { ...peace, failures: 4 });
  expect(backOff.askInMs(['dead'])).toBeGreaterThan(first);
  backOff.note('dead', peace);
  expect(backOff.isOn('dead')).toBe(false);
});

test('a host whose repos are all dead waits for the first that may be asked', () => {
  const backOff = createBackOff(() => 0);
  expect(backOff.askInMs([])).toBeNull();
  backOff.note('asked-for-silence', { ...peace, retryAfterMs: 60_000 });
  backOff.note('dead', { ...peace, failures: 1 });
  expect(backOff.askInMs(['asked-for-silence'])).toBeGreaterThanOrEqual(60_000);
  expect(backOff.askInMs(['asked-for-silence', 'dead'])).toBe(backOff.askInMs(['dead']));
  backOff.clear();
  expect(backOff.askInMs(['dead'])).toBeNull();
});

test('a later look leaves alone what an earlier one was asked to, until its time has come', () => {
  const first = createBackOff(() => 7);
  first.note('asked-for-silence', { ...peace, retryAfterMs: 60_000 });
  first.note('live', peace);
  const saved = formatSavedBackOff(first.waits(), 'config 1', 1_000_000);
  const read = (stamp: string, now: number) =>
    createBackOff(() => 0, readSavedBackOff(JSON.parse(JSON.stringify(saved)), stamp, now));
  expect(read('config 1', 1_030_000).isOn('asked-for-silence')).toBe(true);
  expect(read('config 1', 1_030_000).isOn('live')).toBe(false);
  expect(read('config 1', 1_070_000).waits()).toEqual({});
  // Another configuration may ask elsewhere; a clock that was set back or jumped knows nothing.
  expect(read('config 2', 1_030_000).waits()).toEqual({});
  expect(read('config 1', 900_000).waits()).toEqual({});
  expect(readSavedBackOff(undefined, 'config 1', 0)).toEqual({});
});
