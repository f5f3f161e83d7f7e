/** A thousand publishes of one daemon, with an outage in the middle: nothing grows, on the host or on the status repository. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { git } from '../support/git.ts';
import { createHost } from '../support/host.ts';
import { createRemote } from '../support/repo.ts';
import { sayRepository } from '../support/say.ts';
import { startSmartHttp } from '../support/smart-http.ts';
import { until } from '../support/until.ts';

const PUBLISHES = Number(process.env.PULLYU_SOAK_PUBLISHES ?? 1_000);
const MB = 1024 * 1024;

test(`${PUBLISHES} publishes leave descriptors, memory, connections and files as they were`, async () => {
  using it = await createRemote();
  using status = await createRemote('status');
  await it.publish(sayRepository('one'));
  await using web = await startSmartHttp(status.folder);
  await using host = createHost({
    name: 'web-1',
    interval: '100ms',
    repos: { it: it.url },
    more: { status: { remote: web.url(status.path), heartbeat: '100ms' } },
  });
  const agent = await host.start();
  const presence = () => git(['--git-dir', status.bare, 'show', 'refs/heads/presence/web-1:presence.json']);
  const published = () =>
    web.asked.filter((one) => one.startsWith('POST') && one.endsWith('receive-pack')).length;
  const untilPublished = (wanted: number) =>
    until(() => published() >= wanted, {
      timeoutMs: 1_500_000,
      everyMs: 200,
      what: `${wanted} publishes`,
      found: published,
    });
  const files = (folder: string): number =>
    readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
  const measure = () => ({
    descriptors: readdirSync(`/proc/${agent.pid}/fd`).length,
    memory: residentBytes(agent.pid),
    sockets: web.sockets.size,
    files: files(join(host.state, 'status')),
  });

  await untilPublished(Math.min(100, PUBLISHES / 4));
  const before = measure();
  await untilPublished(PUBLISHES / 2);
  web.hook = (_, response) => {
    response.writeHead(503).end();
    return true;
  };
  const asked = web.asked.length;
  await until(() => web.asked.length >= asked + 20, { what: 'questions that fail', timeoutMs: 120_000 });
  web.hook = null;
  const { sequence } = JSON.parse(await presence()) as { sequence: number };
  await until(async () => JSON.parse(await presence()).sequence > sequence, {
    what: 'the first after the outage',
  });
  await untilPublished(PUBLISHES);
  const after = measure();
  const said = JSON.stringify({ before, after, connections: web.connections() });
  console.log(said);
  expect(after.descriptors, said).toBeLessThanOrEqual(before.descriptors + 5);
  expect(after.sockets, said).toBeLessThanOrEqual(before.sockets + 3);
  expect(after.files, said).toBeLessThanOrEqual(before.files + 3);
  expect(after.memory, said).toBeLessThan(before.memory + 48 * MB);
  // Heartbeats leave no history.
  expect(await git(['--git-dir', status.bare, 'rev-list', '--count', 'refs/heads/presence/web-1'])).toBe('1');
  expect(
    Number(await git(['--git-dir', status.bare, 'rev-list', '--count', 'refs/heads/hosts/web-1'])),
  ).toBeLessThan(10);
  await host.expectNoLeaks();
});

function residentBytes(pid: number): number {
  const [, pages] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ').map(Number);
  return pages! * 4096;
}
