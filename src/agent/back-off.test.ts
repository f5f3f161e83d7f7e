import { expect, test } from 'vitest';
import type { HostId } from '../model/ids.ts';
import { createBackOff } from './back-off.ts';

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
