import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempFolder } from '../../tests/support/temp.ts';
import { EXIT } from '../errors.ts';
import { delay, systemClock } from '../system/clock.ts';
import { tryLock } from '../system/lock.ts';
import { decidePaths, type Paths } from '../system/paths.ts';
import { askForLook, runWithLock } from './one-look.ts';
import { type LookAnswer, openSocket } from './socket.ts';
import { readState } from './state-file.ts';

const signal = new AbortController().signal;

function createState(folder: string): Paths {
  const paths = decidePaths(folder, {}, 0);
  mkdirSync(paths.state, { recursive: true });
  return paths;
}

/** A daemon's socket that gives these answers in order, the last one for ever. */
function answering(paths: Paths, answers: LookAnswer[]) {
  return openSocket(paths.state, {
    state: () => ({ state: readState(paths.state), openRun: null, heldSince: null }),
    look: async () => (answers.length > 1 ? answers.shift()! : answers[0]!),
    run: async () => ({ code: 'busy', message: '', hint: null }),
    hold: async () => false,
  });
}

test('a daemon that was just started is waited for until it answers', async () => {
  using folder = tempFolder('ask');
  const paths = createState(folder.path);
  const lock = tryLock(join(paths.state, 'lock'), 'agent')!;
  const asking = askForLook(paths, signal);
  // Longer than the first question takes.
  await delay(150, signal);
  const socket = await answering(paths, [{ exitCode: EXIT.ok, message: '' }]);
  expect(await asking).toMatchObject({ exitCode: EXIT.ok });
  socket.close();
  lock.release();
});

test('nobody is asked for long when no daemon holds the lock', async () => {
  using folder = tempFolder('ask');
  const paths = createState(folder.path);
  expect(await askForLook(paths, signal)).toBeNull();
  writeFileSync(join(paths.state, 'lock'), '{"pid":1,"startTime":"1","command":"look"}\n');
  expect(await askForLook(paths, signal)).toBeNull();
});

test('while the daemon is busy with an action its own look is waited for', async () => {
  using folder = tempFolder('ask');
  const paths = createState(folder.path);
  const lock = tryLock(join(paths.state, 'lock'), 'agent')!;
  const busy = { exitCode: EXIT.busy, message: 'an action is running' };
  const socket = await answering(paths, [busy, busy, { exitCode: EXIT.failed, message: '' }]);
  const exitCode = await runWithLock({ paths, env: {}, clock: systemClock, emit: () => {}, signal });
  expect(exitCode).toBe(EXIT.failed);
  socket.close();
  lock.release();
});

test('whoever is told to end while it waits says who was at work', async () => {
  using folder = tempFolder('ask');
  const paths = createState(folder.path);
  const lock = tryLock(join(paths.state, 'lock'), 'look')!;
  const waiting = runWithLock({
    paths,
    env: {},
    clock: systemClock,
    emit: () => {},
    signal: AbortSignal.abort(),
  });
  await expect(waiting).rejects.toMatchObject({ code: 'busy' });
  lock.release();
});
