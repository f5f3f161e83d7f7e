import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { delay, timeoutSignal } from './clock.ts';

test('a time-out that is one of several reasons to end comes, whatever the collector takes', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const ended = await new Promise<boolean>((resolve) => {
    AbortSignal.any([new AbortController().signal, timeoutSignal(100)]).addEventListener('abort', () =>
      resolve(true),
    );
    // Far longer than it takes.
    const collecting = setInterval(collect, 10);
    void delay(10_000).then(() => {
      clearInterval(collecting);
      resolve(false);
    });
  });
  expect(ended).toBe(true);
});
