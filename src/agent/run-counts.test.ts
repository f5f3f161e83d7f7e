import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RunId } from '../model/ids.ts';
import type { Outcome, Run } from '../model/run.ts';
import { countRuns, noRunCounts } from './run-counts.ts';

function run(n: number, outcome: Outcome | null, action = 'shop'): Run {
  const id = `run-${String(n).padStart(4, '0')}` as RunId;
  const intent = { id, repo: 'it', action, startedAt: n } as Run['intent'];
  return { intent, result: outcome === null ? null : ({ id, outcome } as Run['result']) };
}

const key = 'it/shop' as keyof typeof noRunCounts.counts;

test('each run is counted once, when it has ended', () => {
  const open = countRuns(noRunCounts, [run(2, null), run(1, 'ok')]);
  expect(open.counts[key]).toEqual({ ok: 1 });
  const ended = countRuns(open, [run(3, 'ok'), run(2, 'failed'), run(1, 'ok')]);
  expect(ended.counts[key]).toEqual({ ok: 2, failed: 1 });
  expect(countRuns(ended, [run(3, 'ok'), run(2, 'failed'), run(1, 'ok')])).toBe(ended);
});

test('a journal that was written anew without older runs takes nothing away', () => {
  const before = countRuns(noRunCounts, [run(3, 'ok'), run(2, 'ok'), run(1, 'failed')]);
  expect(countRuns(before, [run(3, 'ok')])).toBe(before);
  expect(countRuns(before, [run(4, 'ok')]).counts[key]).toEqual({ ok: 3, failed: 1 });
});

test('a clock that was set back hides no run as long as the journal holds the last one', () => {
  const before = countRuns(noRunCounts, [run(9, 'ok')]);
  expect(countRuns(before, [run(2, 'failed'), run(9, 'ok')]).counts[key]).toEqual({ ok: 1, failed: 1 });
});

test('however often it is asked, the counts are those of the whole history', () => {
  const outcome = fc.constantFrom<Outcome>('ok', 'failed', 'timed-out');
  fc.assert(
    fc.property(
      fc.array(outcome, { maxLength: 30 }),
      fc.array(fc.nat(29), { maxLength: 8 }),
      (outcomes, stops) => {
        let counts = noRunCounts;
        for (const at of [...stops.map((n) => Math.min(n, outcomes.length)), outcomes.length].sort(
          (a, b) => a - b,
        )) {
          // The last one is still open at a stop.
          const runs = outcomes
            .slice(0, at)
            .map((one, n) => run(n + 1, n === at - 1 && at < outcomes.length ? null : one));
          counts = countRuns(counts, runs.reverse());
        }
        const wanted: Record<string, number> = {};
        for (const one of outcomes) wanted[one] = (wanted[one] ?? 0) + 1;
        expect(counts.counts[key] ?? {}).toEqual(wanted);
      },
    ),
    { numRuns: 100 },
  );
});
