import { mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tempFolder } from '../../tests/support/temp.ts';
import type { PresenceTrigger } from '../model/action.ts';
import type { HostConfig } from '../model/host.ts';
import type { RosterMember } from '../model/presence.ts';
import { formatRoster, parseRoster, withSelf } from '../model/roster.ts';
import { exampleMember, NOW } from '../plan/example-values.ts';
import { presenceKey, relevantRoster } from '../plan/relevant-roster.ts';
import { settleRosters } from '../plan/settle-roster.ts';
import { readRosterFile, rosterFile, writeRosterFile } from './roster-file.ts';
import { assumeRosterView, readRosterView } from './roster-view.ts';
import { readSettlings, settlingsFile, writeSettlings } from './settlings-file.ts';

const [web, db] = [exampleMember('web-1'), exampleMember('db-1', { labels: { part: 'db' } })];
const apps: PresenceTrigger = { type: 'presence', of: { part: 'app' }, settleMs: 10_000, facts: [] };

test('the file holds each host as scripts get it, times as ISO texts', () => {
  using folder = tempFolder();
  expect(writeRosterFile(folder.path, [db, web])).toBe(true);
  expect(JSON.parse(readFileSync(rosterFile(folder.path), 'utf8'))).toEqual({
    hosts: [db, web].map((member) => ({ ...member, lastContactAt: '2026-11-25T11:00:00.000Z' })),
  });
  expect(readRosterFile(folder.path)).toEqual([db, web]);
});

test('it is written when a host is another one; for times alone once in a minute', () => {
  using folder = tempFolder();
  writeRosterFile(folder.path, [web]);
  expect(writeRosterFile(folder.path, [web])).toBe(false);
  const later = { ...web, lastContactAt: NOW + 5000 };
  expect(writeRosterFile(folder.path, [later])).toBe(false);
  expect(writeRosterFile(folder.path, [{ ...later, state: 'busy' }])).toBe(true);
  const old = Date.now() / 1000 - 61;
  utimesSync(rosterFile(folder.path), old, old);
  expect(writeRosterFile(folder.path, [{ ...later, state: 'busy', lastContactAt: NOW + 6000 }])).toBe(true);
});

test('what a host says cannot hide that it changed', () => {
  using folder = tempFolder();
  const odd = (fact: string) => [{ ...web, facts: { 'x\n      "lastContactAt"': fact } }];
  writeRosterFile(folder.path, odd('1'));
  expect(writeRosterFile(folder.path, odd('2'))).toBe(true);
  const named = (fact: string) => [{ ...web, facts: { lastContactAt: fact } }];
  writeRosterFile(folder.path, named('1'));
  expect(writeRosterFile(folder.path, named('2'))).toBe(true);
});

test('a file that is none of ours is no roster', () => {
  using folder = tempFolder();
  expect(readRosterFile(folder.path)).toBeNull();
  for (const text of ['', '[]', 'null', '{"hosts": [{"name": "a"}]}', '{"hosts": [null]}', '{"hosts": {}}']) {
    writeFileSync(rosterFile(folder.path), text);
    expect(readRosterFile(folder.path)).toBeNull();
  }
});

test('a roster is read as it was written', () => {
  const text = fc.string({ maxLength: 20 });
  const texts = fc.dictionary(text, text, { maxKeys: 4 });
  const member = fc.record({
    name: text,
    id: text,
    labels: texts,
    addresses: fc.array(text, { maxLength: 3 }),
    state: fc.constantFrom('working', 'busy'),
    facts: texts,
    lastContactAt: fc.integer({ min: 0, max: 4e12 }),
  }) as unknown as fc.Arbitrary<RosterMember>;
  fc.assert(
    fc.property(fc.array(member, { maxLength: 5 }), (members) => {
      expect(parseRoster(formatRoster(members))).toEqual(members);
    }),
  );
  fc.assert(fc.property(fc.string(), (other) => void parseRoster(other)));
  fc.assert(fc.property(fc.json(), (other) => void parseRoster(other)));
});

test('of this host what it knows itself is in the roster', () => {
  const self = { ...web, addresses: ['10.0.0.7'] };
  expect(withSelf([web, db], self)).toEqual([db, self]);
  expect(withSelf([], self)).toEqual([self]);
});

const settled = settleRosters(new Map(), [apps], { roster: [web], self: db, now: NOW });

test('what is settled and what is pending outlives the process', () => {
  using folder = tempFolder();
  const file = settlingsFile(folder.path);
  const pending = settleRosters(settled, [apps], { roster: [], self: db, now: NOW });
  for (const one of [settled, pending]) {
    writeSettlings(file, one);
    expect(readSettlings(file)).toEqual(one);
  }
  for (const text of [
    '',
    '{}',
    '[null]',
    '[["a"]]',
    '[["a", {}]]',
    '[["a", {"settled": {"digest": 1}}]]',
    '7',
  ]) {
    writeFileSync(file, text);
    expect(readSettlings(file)).toEqual(new Map());
  }
});

const host = { name: 'db-1', id: db.id, labels: db.labels };
const config = (status: object | null) => ({ host, config: { status } as HostConfig });
const actions = [{ on: [apps] }];
const key = presenceKey(apps);

test('readers see what the agent sees; a trigger that is new to it sees the roster as it is', () => {
  using folder = tempFolder();
  expect(readRosterView(folder.path, actions, config(null))).toEqual({
    isConfigured: false,
    triggers: new Map(),
  });
  expect(readRosterView(folder.path, actions, config({})).triggers.size).toBe(0);
  writeRosterFile(folder.path, [db]);
  expect(readRosterView(folder.path, actions, config({})).triggers.size).toBe(0);
  writeRosterFile(folder.path, [db, web]);
  const { part } = relevantRoster(apps, [web], null);
  expect(readRosterView(folder.path, actions, config({})).triggers.get(key)?.settled).toEqual(part);
  mkdirSync(`${folder.path}/status`);
  const lone = settleRosters(new Map(), [apps], { roster: [], self: db, now: NOW });
  writeSettlings(settlingsFile(folder.path), lone);
  expect(readRosterView(folder.path, actions, config({})).triggers.get(key)?.settled.count).toBe(0);
});

test('for a host that there is not, the roster counts as read', () => {
  expect(assumeRosterView(actions).triggers.has(key)).toBe(true);
});
