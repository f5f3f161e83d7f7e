import { expect, test } from 'vitest';
import type { PresenceTrigger } from '../model/action.ts';
import type { HostId } from '../model/ids.ts';
import { exampleMember, NOW } from './example-values.ts';
import { joinParts, NAMES_MAX, presenceKey, relevantRoster } from './relevant-roster.ts';

const apps: PresenceTrigger = { type: 'presence', of: { part: 'app' }, settleMs: 10_000, facts: ['port'] };
const lb = exampleMember('lb-1', { labels: { part: 'lb' } });
const digest = (...members: Parameters<typeof relevantRoster>[1][number][]) =>
  relevantRoster(apps, members, null).part.digest;

test('the members are those with the labels, by name, in whichever order they come', () => {
  const [a, b] = [exampleMember('web-1'), exampleMember('web-2')];
  const { members, part } = relevantRoster(apps, [b, lb, a], null);
  expect(members.map(({ name }) => name)).toEqual(['web-1', 'web-2']);
  expect(part).toMatchObject({
    count: 2,
    members: [
      ['web-1', expect.any(String)],
      ['web-2', expect.any(String)],
    ],
  });
  expect(digest(a, b)).toBe(part.digest);
});

test('this host is one of them when its labels fit, also before it has published; what it knows of itself counts', () => {
  const own = exampleMember('web-9', { addresses: ['10.0.0.9'] });
  const names = (roster: Parameters<typeof relevantRoster>[1], self = own) =>
    relevantRoster(apps, roster, self).members.map(({ name }) => name);
  expect(names([exampleMember('web-1')])).toEqual(['web-1', 'web-9']);
  expect(names([exampleMember('web-1')], lb)).toEqual(['web-1']);
  const old = exampleMember('web-9', { addresses: ['10.0.0.1'] });
  expect(relevantRoster(apps, [old], own).members).toEqual([own]);
});

test('name, id, addresses and declared facts count; state, times, other facts and other labels do not', () => {
  const web = exampleMember('web-1', { facts: { port: '80', load: '1' } });
  const same = [
    { ...web, state: 'busy' as const },
    { ...web, lastContactAt: NOW + 1 },
    { ...web, facts: { port: '80', load: '2' } },
    { ...web, labels: { ...web.labels, zone: 'eu' } },
    { ...web, addresses: [...web.addresses].reverse() },
  ];
  for (const other of same) expect(digest(other)).toBe(digest(web));
  const others = [
    { ...web, name: 'web-2' },
    { ...web, id: 'another' as HostId },
    { ...web, addresses: ['10.0.0.77'] },
    { ...web, facts: { port: '81' } },
    { ...web, facts: {} },
  ];
  for (const other of others) expect(digest(other)).not.toBe(digest(web));
  const either = { ...apps, of: { part: ['app', 'web'] } };
  const of = (part: string) => relevantRoster(either, [{ ...web, labels: { part } }], null).part.digest;
  expect(of('app')).not.toBe(of('web'));
});

test('a fact of a name that every object has is still a fact', () => {
  const odd = { ...apps, facts: ['constructor'] };
  expect(relevantRoster(odd, [exampleMember('web-1')], null).part.count).toBe(1);
});

test('the names of many hosts are not kept', () => {
  const many = Array.from({ length: NAMES_MAX + 1 }, (_, n) => exampleMember(`web-${n}`));
  expect(relevantRoster(apps, many, null).part).toMatchObject({ count: NAMES_MAX + 1, members: null });
  expect(relevantRoster(apps, many.slice(1), null).part.members).toHaveLength(NAMES_MAX);
});

test('the key of a trigger does not depend on the order of its labels', () => {
  expect(presenceKey({ ...apps, of: { a: '1', b: '2' } })).toBe(
    presenceKey({ ...apps, of: { b: '2', a: '1' } }),
  );
  expect(presenceKey({ ...apps, settleMs: 1 })).not.toBe(presenceKey(apps));
});

test('several triggers of one action are one part; a host that two of them mean is one host', () => {
  const roster = [exampleMember('web-1'), exampleMember('db-1', { labels: { part: 'db' } })];
  const [app, all] = [apps, { ...apps, of: {} }].map((trigger) => relevantRoster(trigger, roster, null).part);
  expect(joinParts([])).toBeNull();
  expect(joinParts([app!])).toBe(app);
  expect(joinParts([app!, all!])).toMatchObject({
    count: 2,
    members: [
      ['db-1', expect.any(String)],
      ['web-1', expect.any(String)],
    ],
  });
  expect(joinParts([app!, { ...all!, members: null, count: 100 }])).toMatchObject({
    count: 101,
    members: null,
  });
});

test('a roster of ten thousand hosts is the same in any order', () => {
  const many = Array.from({ length: 10_000 }, (_, n) => exampleMember(`web-${n}`));
  const { part } = relevantRoster(apps, many, null);
  expect(part.count).toBe(10_000);
  expect(relevantRoster(apps, [...many].reverse(), null).part).toEqual(part);
});
