import { expect, test } from 'vitest';
import type { AgentEvent } from '../model/event.ts';
import { trouble } from '../model/trouble.ts';
import { createTroubles } from './troubles.ts';

function recorder() {
  const events: AgentEvent[] = [];
  let now = 0;
  const told = () =>
    events.map((event) =>
      event.type === 'trouble-began' || event.type === 'trouble-ended'
        ? `${event.type} ${event.trouble.code}`
        : event.type,
    );
  return {
    told,
    at(time: number) {
      now = time;
    },
    troubles: createTroubles({
      repo: 'it',
      known: null,
      now: () => now,
      emit: (event) => events.push(event),
    }),
  };
}

test('a trouble is told when it begins and when it ends, not while it lasts', () => {
  const { troubles, told, at } = recorder();
  troubles.set('contact', trouble('silent', 'one'));
  at(10);
  troubles.set('contact', trouble('silent', 'two'));
  expect(troubles.current()).toMatchObject({ code: 'silent', message: 'two', since: 0, count: 2 });
  troubles.set('contact', null);
  troubles.set('contact', null);
  expect(told()).toEqual(['trouble-began silent', 'trouble-ended silent']);
  expect(troubles.current()).toBeNull();
});

test('another trouble in its place ends the first one', () => {
  const { troubles, told } = recorder();
  troubles.set('contact', trouble('silent', 'one'));
  troubles.set('contact', trouble('dns', 'two'));
  expect(told()).toEqual(['trouble-began silent', 'trouble-ended silent', 'trouble-began dns']);
});

test('without contact nothing else can change, so that is what is shown; the other lasts beside it', () => {
  const { troubles } = recorder();
  troubles.set('content', trouble('config', 'broken'));
  troubles.set('contact', trouble('unreachable', 'away'));
  expect(troubles.current()?.code).toBe('unreachable');
  troubles.set('contact', null);
  expect(troubles.current()?.code).toBe('config');
});

test('a commit that is broken in another way than the one before is told, and is still the same trouble', () => {
  const { troubles, told } = recorder();
  troubles.set('content', trouble('config', 'line 2'));
  troubles.set('content', trouble('config', 'line 2'));
  troubles.set('content', trouble('config', 'line 9'));
  expect(told()).toEqual(['trouble-began config', 'trouble-began config']);
  expect(troubles.current()).toMatchObject({ message: 'line 9', count: 3 });
});

test('a trouble of the look before goes on under the same beginning', () => {
  const known = { ...trouble('rewritten', 'as before'), since: 5, count: 3 };
  const events: AgentEvent[] = [];
  const troubles = createTroubles({ repo: 'it', known, now: () => 9, emit: (event) => events.push(event) });
  troubles.set('content', trouble('rewritten', 'as before'));
  expect(troubles.current()).toMatchObject({ since: 5, count: 4 });
  expect(events).toEqual([]);
});

test('what is cut off because the agent ends is no trouble', () => {
  const events: AgentEvent[] = [];
  const troubles = createTroubles({
    repo: 'it',
    known: null,
    now: () => 0,
    emit: (event) => events.push(event),
    signal: AbortSignal.abort(),
  });
  troubles.set('content', trouble('git-failed', 'ended'));
  expect([troubles.current(), events]).toEqual([null, []]);
});
