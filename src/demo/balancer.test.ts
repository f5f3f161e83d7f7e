import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseBalancing } from './balancer.ts';

const CONFIG = readFileSync(new URL('../../examples/load-balancer/lb/haproxy.cfg', import.meta.url), 'utf8');

test('the configuration of the example is understood, with the servers that its script adds', () => {
  const text = CONFIG.replace('@BIND@', '127.0.0.1:81');
  expect(parseBalancing(text)).toEqual({ bind: { host: '127.0.0.1', port: 81 }, servers: [] });
  expect(
    parseBalancing(`${text}  server web-1 127.0.0.1:8080\n  server web-2 127.0.0.1:8081\n`),
  ).toMatchObject({
    servers: [{ port: 8080 }, { port: 8081 }],
  });
});

test('a configuration that binds nothing is refused', () => {
  expect(parseBalancing(CONFIG)).toMatch(/^expected one line "bind ADDRESS:PORT"/);
  expect(parseBalancing('')).toMatch(/^expected/);
});
