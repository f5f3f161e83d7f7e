import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findProgram } from '../../tests/support/needs.ts';
import { parseMetrics } from '../../tests/support/prometheus.ts';
import type { CommitId } from '../model/ids.ts';
import { formatMetrics, type HostMetrics } from './format-metrics.ts';

const A = 'a'.repeat(40) as CommitId;
const B = 'b'.repeat(40) as CommitId;

const metrics: HostMetrics = {
  version: '0.1.0',
  state: 'wedged',
  lastLookAt: 1_700_000_000_250,
  repos: [
    { name: 'it', wanted: B, applied: A, lastContactAt: 1_700_000_000_000, trouble: 'unreachable' },
    { name: 'new', wanted: null, applied: null, lastContactAt: null, trouble: null },
  ],
  actions: [
    { repo: 'it', name: 'shop', lastSuccessAt: 1_699_999_000_000, runs: { ok: 7, 'timed-out': 1 } },
    { repo: 'it', name: 'never', lastSuccessAt: null, runs: {} },
  ],
  undelivered: 2,
  labels: {},
};

test('every value is a sample of its family, times are in seconds', () => {
  const { values, types } = parseMetrics(formatMetrics(metrics));
  expect(Object.fromEntries(values)).toEqual({
    'pullyu_info{version="0.1.0"}': 1,
    'pullyu_state{state="setup"}': 0,
    'pullyu_state{state="working"}': 0,
    'pullyu_state{state="busy"}': 0,
    'pullyu_state{state="wedged"}': 1,
    'pullyu_state{state="paused"}': 0,
    pullyu_last_look_timestamp_seconds: 1_700_000_000.25,
    'pullyu_last_contact_timestamp_seconds{repo="it"}': 1_700_000_000,
    [`pullyu_repo_info{repo="it",wanted="${B}",applied="${A}"}`]: 1,
    'pullyu_repo_info{repo="new",wanted="",applied=""}': 1,
    'pullyu_repo_trouble{repo="it",code="unreachable"}': 1,
    'pullyu_action_last_success_timestamp_seconds{repo="it",action="shop"}': 1_699_999_000,
    'pullyu_action_runs_total{repo="it",action="shop",outcome="ok"}': 7,
    'pullyu_action_runs_total{repo="it",action="shop",outcome="failed"}': 0,
    'pullyu_action_runs_total{repo="it",action="shop",outcome="timed-out"}': 1,
    'pullyu_action_runs_total{repo="it",action="never",outcome="ok"}': 0,
    'pullyu_action_runs_total{repo="it",action="never",outcome="failed"}': 0,
    pullyu_status_undelivered: 2,
  });
  expect(types.get('pullyu_action_runs_total')).toBe('counter');
});

test('a family without samples is left out', () => {
  const text = formatMetrics({ ...metrics, repos: [], actions: [], undelivered: null, lastLookAt: null });
  expect([...parseMetrics(text).types.keys()]).toEqual(['pullyu_info', 'pullyu_state']);
});

test('one of several hosts of a machine says in every sample which it is', () => {
  const { values } = parseMetrics(formatMetrics({ ...metrics, labels: { host: 'web-1' } }));
  for (const name of values.keys()) expect(name).toContain('{host="web-1"');
});

test('whatever a name holds, the file is well formed and gives the name back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), (name, other) => {
      const action = { repo: 'it', name: other, lastSuccessAt: null, runs: {} };
      const text = formatMetrics({ ...metrics, version: name, actions: [action] });
      const { labels } = parseMetrics(text);
      const plain = (value: string) => value.replace(/[^\P{Cc}\n]|\p{Cs}/gu, '\uFFFD');
      expect(labels.get('pullyu_info')).toEqual([{ version: plain(name) }]);
      expect(labels.get('pullyu_action_runs_total')?.[0]?.action).toBe(plain(other));
    }),
    { numRuns: 50 },
  );
});

// Debian's package `prometheus` is large: it is no condition for the others.
test.skipIf(findProgram('promtool') === null)('promtool finds nothing to complain of', async () => {
  const { exec } = await import('../system/exec.ts');
  const done = await exec([findProgram('promtool')!, 'check', 'metrics'], {
    env: {},
    input: formatMetrics(metrics),
    timeoutMs: 20_000,
  });
  expect([done.exitCode, done.stdout.toString(), done.stderr]).toEqual([0, '', '']);
});
