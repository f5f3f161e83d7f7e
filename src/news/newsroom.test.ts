import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { pictureFleet } from '../fleet/picture-fleet.ts';
import type { NewsLevel } from '../model/news.ts';
import type { Presence } from '../model/presence.ts';
import { fail, ok, trouble } from '../model/trouble.ts';
import type { NewsStore } from '../presence/news-store.ts';
import { AT, someAction, somePresence } from '../presence/presence.testing.ts';
import type { Channel, SendAnswer } from './channel.ts';
import { createNewsroom } from './newsroom.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOLD = MINUTE;
const HEARTBEAT = 5 * MINUTE;

let folder = '';
let now = AT;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pullyu-newsroom-'));
  now = AT;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const clock = { now: () => now, monotonic: () => now, random: () => 0.5 };

/** A place that all hosts share. `fails`: what the next calls of that name answer. */
function createShared() {
  let text: string | null = null;
  let version = 0;
  const fails = { load: 0, save: 0, landed: false };
  const problem = fail(trouble('unreachable', 'refused'));
  const token = () => (version === 0 ? null : String(version));
  const store: NewsStore = {
    name: 'shared',
    async load() {
      if (fails.load > 0) {
        fails.load -= 1;
        return problem;
      }
      return ok({ text, token: token() });
    },
    async save(next, base) {
      if (fails.save > 0) {
        fails.save -= 1;
        if (fails.landed) [text, version] = [next, version + 1];
        return problem;
      }
      if (base !== token()) return ok(null);
      [text, version] = [next, version + 1];
      return ok(token());
    },
    close() {},
  };
  return { store, fails, text: () => text };
}

function createRecorder(level: NewsLevel = 'critical', key = 'a') {
  const sent: string[] = [];
  let answer: SendAnswer = { ok: true };
  const channel: Channel = {
    key,
    name: `channel ${key}`,
    level,
    async send({ text }) {
      if (answer.ok) sent.push(text);
      return answer;
    },
  };
  return {
    channel,
    /** And forgets it. */
    take: () => sent.splice(0),
    answer: (next: SendAnswer) => {
      answer = next;
    },
  };
}

function createSender(
  host: string,
  shared: ReturnType<typeof createShared>,
  channels: readonly Channel[],
  at = host,
) {
  const warnings: string[] = [];
  const room = createNewsroom({
    folder: join(folder, at),
    store: shared.store,
    channels,
    from: { part: 'control' },
    holdMs: HOLD,
    host,
    heartbeatMs: () => HEARTBEAT,
    clock,
    warn: (text) => warnings.push(text),
  });
  return { host, room, warnings };
}

/** Silent when it has minutes; `lastContactAt` otherwise is now. */
type Fleet = Readonly<Record<string, Partial<Presence> | number>>;

function picture(fleet: Fleet) {
  const judged = Object.entries(fleet).map(([host, what]) => {
    const silentFor = typeof what === 'number' ? what * MINUTE : 0;
    const labels = { part: host.startsWith('control') ? 'control' : 'app' };
    const more = typeof what === 'number' ? {} : what;
    return {
      host,
      presence: somePresence({ host, labels, heartbeatMs: HEARTBEAT, ...more }),
      trust: 'unlisted' as const,
      why: null,
      lastContactAt: now - silentFor,
      contenders: [],
    };
  });
  return pictureFleet(judged, { expected: null, now });
}

type Sender = ReturnType<typeof createSender>;

/** All of them look every ten seconds for so long. */
async function pass(senders: readonly Sender[], fleet: Fleet, ms: number): Promise<void> {
  const { signal } = new AbortController();
  for (const end = now + ms; now < end; now += 10 * SECOND)
    for (const { room } of senders) await room.look(picture(fleet), signal);
}

/** With one host that may send, and with two. */
const WELL: Fleet = { 'control-1': {}, 'db-1': {}, 'web-1': {}, 'web-2': {} };
const PAIR: Fleet = { 'control-1': {}, 'control-2': {}, 'web-1': {}, 'web-2': {} };
const failing: Partial<Presence> = {
  actions: [someAction({ outcome: 'failed', exitCode: 1, parked: false })],
};
const BAD: Fleet = { ...WELL, 'web-1': failing, 'web-2': failing };
const BAD_PAIR: Fleet = { ...PAIR, 'web-1': failing, 'web-2': failing };
const FAILED = expect.stringMatching(/: shop failed on 2 of 4 hosts: web-1, web-2 \(exit code 1\)$/);

describe('of several hosts that may send', () => {
  test('one sends, once', async () => {
    const shared = createShared();
    const heard = createRecorder();
    const senders = ['control-1', 'control-2'].map((host) => createSender(host, shared, [heard.channel]));
    await pass(senders, PAIR, 2 * MINUTE);
    await pass(senders, BAD_PAIR, 60 * MINUTE);
    expect(heard.take()).toEqual([FAILED]);
  });

  test('the next one goes on when the first is gone, and repeats nothing', async () => {
    const shared = createShared();
    const heard = createRecorder();
    const [first, second] = ['control-1', 'control-2'].map((host) =>
      createSender(host, shared, [heard.channel]),
    );
    await pass([first!, second!], PAIR, 2 * MINUTE);
    await pass([first!, second!], BAD_PAIR, 10 * MINUTE);
    heard.take();
    // Whichever it was: one of them alone is left, and sees the other fall silent.
    for (const left of [first!, second!]) {
      const gone = left.host === 'control-1' ? 'control-2' : 'control-1';
      await pass([left], { ...BAD_PAIR, [gone]: 16 }, 10 * MINUTE);
      expect(heard.take()).toEqual([expect.stringMatching(new RegExp(`^${gone} is silent`))]);
      await pass([first!, second!], BAD_PAIR, 10 * MINUTE);
    }
  });

  test('the next one sends what the first does not, though it seems to live', async () => {
    const shared = createShared();
    const heard = createRecorder();
    const dead = createRecorder();
    dead.answer({ ok: false, why: 'status 500', retryAfterMs: null });
    const senders = [
      createSender('control-1', shared, [dead.channel], 'dead-1'),
      createSender('control-2', shared, [heard.channel], 'well-2'),
    ];
    const others = [
      createSender('control-1', shared, [heard.channel], 'well-1'),
      createSender('control-2', shared, [dead.channel], 'dead-2'),
    ];
    await pass(senders, PAIR, 2 * MINUTE);
    await pass(senders, BAD_PAIR, 20 * MINUTE);
    expect(heard.take()).toEqual([FAILED]);
    // The other way round.
    await pass(others, { ...PAIR, 'web-1': { state: 'wedged', reason: 'x' } }, 20 * MINUTE);
    expect(heard.take()).toEqual(['web-1 is wedged: x']);
  });

  test('a host without the label sends nothing', async () => {
    const shared = createShared();
    const heard = createRecorder('chatty');
    const sender = createSender('web-1', shared, [heard.channel]);
    await pass([sender], WELL, 2 * MINUTE);
    await pass([sender], BAD, 60 * MINUTE);
    expect([heard.take(), shared.text()]).toEqual([[], null]);
  });
});

describe('what is shared', () => {
  test('cannot be loaded: nothing is sent until it can be', async () => {
    const shared = createShared();
    const heard = createRecorder();
    const sender = createSender('control-1', shared, [heard.channel]);
    await pass([sender], WELL, MINUTE);
    shared.fails.load = 30;
    await pass([sender], BAD, 4 * MINUTE);
    expect(heard.take()).toEqual([]);
    expect(sender.warnings).toEqual(['news: what was told cannot be shared: refused']);
    await pass([sender], BAD, 4 * MINUTE);
    expect(heard.take()).toEqual([FAILED]);
  });

  test.each([false, true])('cannot be saved (landed: %s): nothing is sent twice', async (landed) => {
    const shared = createShared();
    const heard = createRecorder();
    const sender = createSender('control-1', shared, [heard.channel]);
    await pass([sender], WELL, MINUTE);
    Object.assign(shared.fails, { save: 5, landed });
    await pass([sender], BAD, 30 * MINUTE);
    expect(heard.take()).toEqual([FAILED]);
    expect(shared.text()).toContain('failed it shop');
  });

  test('a crash before it was saved repeats that message, and no other', async () => {
    const shared = createShared();
    const heard = createRecorder();
    const sender = createSender('control-1', shared, [heard.channel]);
    await pass([sender], WELL, MINUTE);
    shared.fails.save = 1_000;
    await pass([sender], BAD, 5 * MINUTE);
    shared.fails.save = 0;
    const again = createSender('control-1', shared, [heard.channel]);
    await pass([again], BAD, 30 * MINUTE);
    expect(heard.take()).toEqual([FAILED, FAILED]);
  });

  test('was broken by a stranger: what lasts is told again, then there is peace', async () => {
    const shared = createShared();
    const heard = createRecorder();
    const sender = createSender('control-1', shared, [heard.channel]);
    await pass([sender], WELL, MINUTE);
    const { value } = (await shared.store.load()) as { value: { token: string } };
    await shared.store.save('\u0000{"told": [', value.token);
    await pass([sender], BAD, 30 * MINUTE);
    await pass([sender], WELL, 30 * MINUTE);
    expect(heard.take().length).toBeLessThanOrEqual(1);
  });
});

describe('a channel that fails', () => {
  const broken: SendAnswer = { ok: false, why: 'status 500', retryAfterMs: null };

  test('holds up no other, and gets what lasts when it works again', async () => {
    const shared = createShared();
    const [good, bad] = [createRecorder('critical', 'good'), createRecorder('chatty', 'bad')];
    const sender = createSender('control-1', shared, [good.channel, bad.channel]);
    bad.answer(broken);
    await pass([sender], WELL, MINUTE);
    await pass([sender], BAD, 60 * MINUTE);
    await pass([sender], { ...BAD, 'web-3': {} }, 60 * MINUTE);
    expect([good.take(), bad.take()]).toEqual([[FAILED], []]);
    bad.answer({ ok: true });
    await pass([sender], { ...BAD, 'web-3': {} }, 20 * MINUTE);
    expect([good.take(), bad.take()]).toEqual([[], [FAILED, 'web-3 joined']]);
    expect(sender.warnings).toEqual([
      'news: channel bad took no message: status 500; it is tried again',
      'news: channel bad works again',
    ]);
  });

  test('is told nothing of what came and went meanwhile', async () => {
    const shared = createShared();
    const [good, bad] = [createRecorder('chatty', 'good'), createRecorder('chatty', 'bad')];
    const sender = createSender('control-1', shared, [good.channel, bad.channel]);
    bad.answer(broken);
    await pass([sender], WELL, MINUTE);
    await pass([sender], BAD, 30 * MINUTE);
    await pass([sender], WELL, 30 * MINUTE);
    bad.answer({ ok: true });
    await pass([sender], WELL, 30 * MINUTE);
    expect(good.take()).toHaveLength(2);
    expect(bad.take()).toEqual([]);
  });

  test('and is the only one is told later how things are then', async () => {
    const shared = createShared();
    const heard = createRecorder();
    const sender = createSender('control-1', shared, [heard.channel]);
    heard.answer(broken);
    await pass([sender], WELL, MINUTE);
    await pass([sender], BAD, 60 * MINUTE);
    // Not this host's alone: another one could send it.
    expect(shared.text()).not.toContain('failed');
    heard.answer({ ok: true });
    await pass([sender], BAD, 20 * MINUTE);
    expect(heard.take()).toEqual([FAILED]);
  });

  test('rests as long as it asks for, over a restart too', async () => {
    const shared = createShared();
    const heard = createRecorder();
    heard.answer({ ok: false, why: 'status 429', retryAfterMs: 60 * MINUTE });
    const sender = createSender('control-1', shared, [heard.channel]);
    await pass([sender], WELL, MINUTE);
    await pass([sender], BAD, 5 * MINUTE);
    heard.answer({ ok: true });
    const again = createSender('control-1', shared, [heard.channel]);
    await pass([again], BAD, 50 * MINUTE);
    expect(heard.take()).toEqual([]);
    await pass([again], BAD, 20 * MINUTE);
    expect(heard.take()).toEqual([FAILED]);
  });

  test('for ever has a queue that does not grow', async () => {
    const shared = createShared();
    const [good, bad] = [createRecorder('chatty', 'good'), createRecorder('chatty', 'bad')];
    const sender = createSender('control-1', shared, [good.channel, bad.channel]);
    bad.answer(broken);
    await pass([sender], WELL, MINUTE);
    for (let n = 0; n < 110; n += 1) await pass([sender], { ...WELL, [`new-${n}`]: {} }, 2 * MINUTE);
    const { waiting } = JSON.parse(readFileSync(join(folder, 'control-1/channel-bad.json'), 'utf8'));
    expect(waiting.length).toBeLessThanOrEqual(100);
  });
});

test('after a gap in our own watching nobody is called silent too early', async () => {
  const shared = createShared();
  const heard = createRecorder();
  const sender = createSender('control-1', shared, [heard.channel]);
  await pass([sender], WELL, MINUTE);
  now += 3 * 60 * MINUTE;
  // The status repository is back, and the others have not yet pushed.
  await pass([sender], { ...WELL, 'web-1': 180, 'web-2': 180 }, 5 * MINUTE);
  await pass([sender], WELL, 30 * MINUTE);
  expect(heard.take()).toEqual([]);
  now += 3 * 60 * MINUTE;
  await pass([sender], { ...WELL, 'web-1': 180, 'web-2': 180 }, 20 * MINUTE);
  expect(heard.take()).toEqual(['2 hosts are silent: web-1, web-2']);
});
