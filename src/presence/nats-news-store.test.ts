import { expect } from 'vitest';
import { startNats } from '../../tests/support/nats.ts';
import { needsProgram } from '../../tests/support/needs.ts';
import type { Result } from '../model/trouble.ts';
import { systemClock } from '../system/clock.ts';
import { createNatsNewsStore } from './nats-news-store.ts';

const nats = needsProgram('nats-server');

function value<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.trouble.code}: ${result.trouble.message}`);
  return result.value;
}

nats('what one host saves another one loads, and of two that save at once one learns it', async () => {
  const server = await startNats();
  const a = createNatsNewsStore(server.config(), systemClock);
  const b = createNatsNewsStore(server.config(), systemClock);
  try {
    expect(value(await a.load())).toEqual({ text: null, token: null });
    const first = value(await a.save('one', null));
    expect(value(await b.save('also one', null))).toBe(null);
    expect(value(await b.load())).toEqual({ text: 'one', token: first });
    const saved = [value(await a.save('from a', first)), value(await b.save('from b', first))];
    expect(saved.filter((token) => token === null)).toHaveLength(1);
    expect(value(await b.load()).text).toBe('from a');
  } finally {
    a.close();
    b.close();
    await server.close();
  }
});
