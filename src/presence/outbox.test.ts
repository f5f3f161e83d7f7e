import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HostId } from '../model/ids.ts';
import type { Transition } from '../model/presence.ts';
import { fail, ok, trouble } from '../model/trouble.ts';
import { deliverOnce } from './deliver.ts';
import { type Own, openOutbox, readOwn, WAITING_MAX, waitingAfter } from './outbox.ts';
import type { Outgoing, PublishAnswer, StatusStore } from './store.ts';
import type { PresenceContent } from './transitions.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pullyu-outbox-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const signed = (n: number) => ({ text: `presence ${n}`, signature: 'signature' });

function own(sequence: number): Own {
  const content = { host: 'web-1', id: 'a'.repeat(26) as HostId, bootId: 'boot' } as PresenceContent;
  const rest = { conflict: null, madeAt: 0, leftOut: 0, lastRun: null };
  return { version: 1, sequence, content, signed: signed(sequence), ...rest };
}

function transition(sequence: number): Transition {
  return { sequence, at: sequence, subject: `line ${sequence}`, presence: signed(sequence), log: null };
}

/** Keeps what arrives; answers what it is told to. */
function createReceiver(answer: () => Awaited<ReturnType<StatusStore['publish']>>) {
  const arrived: Outgoing[] = [];
  const left: string[] = [];
  const store = {
    leave: async (name: string) => void left.push(name),
    name: 'peer',
    async publish(out: Outgoing) {
      const given = answer();
      if (given.ok && given.value.kind === 'published') arrived.push(out);
      return given;
    },
  } as unknown as StatusStore;
  const deliver = () =>
    deliverOnce(
      openOutbox(folder, ['git']),
      { key: 'git', store },
      { now: () => 77, signal: new AbortController().signal },
    );
  return { arrived, deliver, left, store };
}

const PUBLISHED: PublishAnswer = { kind: 'published', contender: null };

test('what was put in is there for another process, in order', () => {
  openOutbox(folder, ['git']).put([transition(9), transition(10)], own(10));
  const other = openOutbox(folder, ['git']);
  expect(other.waiting().map((one) => one.subject)).toEqual(['line 9', 'line 10']);
  expect(other.own()?.sequence).toBe(10);
  expect(readOwn(folder)?.signed.text).toBe('presence 10');
  expect(waitingAfter(folder, 0)).toBe(2);
});

test('a look that died before its own presence was written is as if it had told nothing', async () => {
  const box = openOutbox(folder, ['git']);
  box.put([], own(8));
  // It would have written own.json next.
  writeFileSync(join(folder, 'outbox', '9.json'), JSON.stringify(transition(9)));
  const { arrived, deliver } = createReceiver(() => ok(PUBLISHED));
  await deliver();
  expect(arrived[0]?.transitions).toEqual([]);
  // The next look finds the same happenings, some seconds later.
  openOutbox(folder, ['git']).put([transition(12)], own(12));
  await deliver();
  expect(arrived.map((out) => out.transitions.map((one) => one.sequence))).toEqual([[], [12]]);
  expect(readdirSync(join(folder, 'outbox'))).toEqual([]);
});

test('a disk that is full when the own presence is written leaves things as they were', () => {
  const box = openOutbox(folder, ['git']);
  box.put([], own(8));
  rmSync(join(folder, 'own.json'));
  mkdirSync(join(folder, 'own.json', 'in the way'), { recursive: true });
  expect(() => box.put([transition(9)], own(9))).toThrow();
  expect(box.own()?.sequence).toBe(8);
  expect(box.waiting()).toEqual([]);
  rmSync(join(folder, 'own.json'), { recursive: true });
  box.put([transition(10)], own(10));
  expect(box.waiting().map((one) => one.sequence)).toEqual([10]);
});

test('a host that has another name leaves the old one when all has arrived', async () => {
  openOutbox(folder, ['git']).put([transition(1)], { ...own(1), formerly: ['web-0'] });
  const { deliver, left } = createReceiver(() => ok(PUBLISHED));
  await deliver();
  expect(left).toEqual(['web-0']);
});

test('everything arrives once, in order, however often delivery failed before', async () => {
  const box = openOutbox(folder, ['git']);
  box.put([transition(1), transition(2)], own(2));
  let broken = true;
  const { arrived, deliver } = createReceiver(() =>
    broken ? fail(trouble('unreachable', 'refused')) : ok(PUBLISHED),
  );
  expect((await deliver()).kind).toBe('failed');
  expect((await deliver()).kind).toBe('failed');
  expect(box.delivery('git').trouble).toMatchObject({ code: 'unreachable', count: 2, since: 77 });
  box.put([transition(3)], own(4));
  broken = false;
  expect(await deliver()).toEqual({ kind: 'delivered', transitions: 3, isAll: true });
  expect(arrived.map((out) => out.transitions.map((one) => one.sequence))).toEqual([[1, 2, 3]]);
  expect(arrived[0]?.presence.text).toBe('presence 4');
  expect(box.delivery('git')).toMatchObject({ sequence: 4, trouble: null, deliveredAt: 77 });
  expect(waitingAfter(folder, 0)).toBe(0);
  expect((await deliver()).kind).toBe('nothing');
});

test('a long queue goes in parts, each with the presence of its last line', async () => {
  openOutbox(folder, ['git']).put(
    Array.from({ length: 60 }, (_, n) => transition(n + 1)),
    own(61),
  );
  const { arrived, deliver } = createReceiver(() => ok(PUBLISHED));
  expect(await deliver()).toEqual({ kind: 'delivered', transitions: 50, isAll: false });
  expect(await deliver()).toEqual({ kind: 'delivered', transitions: 10, isAll: true });
  expect(arrived.map((out) => out.presence.text)).toEqual(['presence 50', 'presence 61']);
});

test('beyond the limit the oldest give way, and the next line says how many', async () => {
  const box = openOutbox(folder, ['git']);
  const count = WAITING_MAX + 3;
  box.put(
    Array.from({ length: count }, (_, n) => transition(n + 1)),
    own(count),
  );
  expect(waitingAfter(folder, 0)).toBe(WAITING_MAX);
  const { arrived, deliver } = createReceiver(() => ok(PUBLISHED));
  await deliver();
  expect(arrived[0]?.transitions[0]?.subject).toBe('(after 3 that are left out) line 4');
});

test('another machine with our name keeps what waits here, and is named', async () => {
  const box = openOutbox(folder, ['git']);
  box.put([transition(1)], own(1));
  const contender = { id: 'b', bootId: 'other', addresses: ['10.0.0.9\u001b[2J'], clock: 1 };
  const { deliver } = createReceiver(() => ok({ kind: 'conflict', contender }));
  expect((await deliver()).kind).toBe('failed');
  expect(box.delivery('git').conflict).toBe(
    'another machine at 10.0.0.9\\x1b[2J publishes under the name web-1',
  );
  expect(waitingAfter(folder, 0)).toBe(1);
});

test('files that a power cut tore are left out, what is whole is delivered', async () => {
  openOutbox(folder, ['git']).put([transition(1), transition(2)], own(2));
  writeFileSync(join(folder, 'outbox', '1.json'), '');
  writeFileSync(join(folder, 'delivery-git.json'), '{"version":1,"sequ');
  const { arrived, deliver } = createReceiver(() => ok(PUBLISHED));
  await deliver();
  expect(arrived[0]?.transitions.map((one) => one.sequence)).toEqual([2]);
  expect(readdirSync(join(folder, 'outbox'))).toEqual([]);
});

test('what has arrived in one of two stores waits for the other', async () => {
  const box = openOutbox(folder, ['git', 'nats']);
  box.put([transition(1)], own(1));
  const { store } = createReceiver(() => ok(PUBLISHED));
  const time = { now: () => 1, signal: new AbortController().signal };
  await deliverOnce(box, { key: 'git', store }, time);
  expect(waitingAfter(folder, 0)).toBe(1);
  await deliverOnce(box, { key: 'nats', store }, time);
  expect(waitingAfter(folder, 0)).toBe(0);
});

test('a machine that moved is news, also without a line to tell, until it was delivered', async () => {
  const box = openOutbox(folder, ['git']);
  box.put([], { ...own(5), movedAt: 5 });
  const { arrived, deliver } = createReceiver(() => ok(PUBLISHED));
  await deliver();
  box.put([], { ...own(6), movedAt: 5 });
  await deliver();
  expect(arrived.map(({ isNews }) => isNews)).toEqual([true, false]);
});
