/** Presences for tests: one that is ordinary, and any that a host may have. */
import fc from 'fast-check';
import type { CommitId, HostId } from '../model/ids.ts';
import type { Presence } from '../model/presence.ts';
import type { TroubleCode } from '../model/trouble.ts';
import { isHarmless } from './presence-text.ts';

export const AT = Date.parse('2026-11-25T15:00:00.000Z');
const COMMIT = '3f2a91c0d4b5a6978812f3e4d5c6b7a8990a1b2c' as CommitId;

export function somePresence(more: Partial<Presence> = {}): Presence {
  return {
    version: 1,
    host: 'web-1',
    id: 'abcdefghijklmnopqrstuvwxyz' as HostId,
    labels: { deployment: 'prod', part: 'app' },
    addresses: ['10.0.0.1', 'fd00::1'],
    state: 'working',
    reason: null,
    repos: [{ name: 'it', wanted: COMMIT, applied: COMMIT, trouble: null }],
    actions: [someAction()],
    actionsOmitted: 0,
    agent: '0.1.0',
    git: '2.39.5',
    bootId: '2c1f0e7e-9d2c-4f0a-8a6b-0f5f6f3b7c11',
    sequence: 7,
    intervalMs: 60_000,
    heartbeatMs: 300_000,
    clock: AT,
    freeBytes: 10 ** 10,
    facts: { port: '8080' },
    conflict: null,
    ...more,
  };
}

export function someAction(more: Partial<Presence['actions'][number]> = {}): Presence['actions'][number] {
  return {
    repo: 'it',
    name: 'shop',
    outcome: 'ok',
    commit: COMMIT,
    exitCode: 0,
    attempt: 1,
    endedAt: AT - 1_000,
    parked: false,
    ...more,
  };
}

const name = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,63}$/);
const time = fc.integer({ min: 0, max: Date.parse('9999-12-31T23:59:59.999Z') });
const commit = fc.stringMatching(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/).map((text) => text as CommitId);
const orNull = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: null });
const count = fc.nat();

/** `anyText` is what its texts are made of: harmless ones, or anything. */
function presenceOf(anyText: (maxLength: number) => fc.Arbitrary<string>): fc.Arbitrary<Presence> {
  const mapping = (key: RegExp, maxLength: number, maxKeys: number) =>
    fc.dictionary(fc.stringMatching(key), anyText(maxLength), { maxKeys });
  return fc.record({
    version: fc.constant(1 as const),
    host: name,
    id: fc.stringMatching(/^[a-z2-7]{26}$/).map((text) => text as HostId),
    labels: mapping(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,30}$/, 300, 20),
    addresses: fc.array(fc.oneof(fc.ipV4(), fc.ipV6()), { maxLength: 16 }),
    state: fc.constantFrom('setup', 'working', 'busy', 'wedged', 'paused'),
    reason: orNull(anyText(900)),
    repos: fc.array(
      fc.record({
        name,
        wanted: orNull(commit),
        applied: orNull(commit),
        trouble: orNull(
          fc.record({
            code: fc.constantFrom<TroubleCode>('dns', 'disk-full', 'identity-conflict'),
            message: anyText(900),
            since: time,
          }),
        ),
      }),
      { maxLength: 4 },
    ),
    actions: fc.array(
      fc.record({
        repo: name,
        name,
        outcome: orNull(fc.constantFrom('ok', 'failed', 'timed-out', 'interrupted', 'superseded', 'refused')),
        commit: orNull(commit),
        exitCode: orNull(fc.integer({ min: 0, max: 255 })),
        attempt: count,
        endedAt: orNull(time),
        parked: fc.boolean(),
      }),
      { maxLength: 8 },
    ),
    actionsOmitted: count,
    agent: anyText(40),
    git: orNull(anyText(40)),
    bootId: anyText(40),
    sequence: fc.maxSafeNat(),
    intervalMs: fc.integer({ min: 1, max: 86_400_000 }),
    heartbeatMs: fc.integer({ min: 1, max: 86_400_000 }),
    clock: time,
    freeBytes: orNull(fc.maxSafeNat()),
    facts: mapping(/^[A-Za-z0-9_.-]{1,40}$/, 200, 20),
    conflict: orNull(anyText(900)),
  });
}

export const harmlessPresence = presenceOf((maxLength) =>
  fc.string({ unit: 'binary', maxLength: Math.min(maxLength / 2, 60) }).filter(isHarmless),
);

export const anyPresence = presenceOf((maxLength) =>
  fc.string({ unit: 'binary', size: 'large', maxLength: 4 * maxLength }),
);
