/** A status repository that is away, silent, slow or refuses: nothing of it holds up pulling, and nothing that was recorded is lost. */
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { faultEnvironment } from '../support/fault.ts';
import { git } from '../support/git.ts';
import type { TestHost } from '../support/host.ts';
import { createPublishingWorld, type PublishingWorld } from '../support/publishing-world.ts';
import { createRemote } from '../support/repo.ts';
import { say, sayRepository } from '../support/say.ts';
import { startSmartHttp } from '../support/smart-http.ts';
import { until } from '../support/until.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type World = PublishingWorld;
const world = (o: Parameters<typeof createPublishingWorld>[1] = {}) => createPublishingWorld(cleanups, o);

/** A later beat than that one. */
const untilBeat = (w: World, after: number) =>
  until(
    async () => {
      const presence = await w.presence();
      return presence !== null && presence.sequence > after && presence;
    },
    { what: `a heartbeat after ${after}` },
  );

test('a host whose remote asks for an hour of silence goes on to beat, as a daemon and by cron', async () => {
  const repo = await createRemote();
  cleanups.push(() => repo[Symbol.dispose]());
  await repo.publish(sayRepository('one'));
  const web = await startSmartHttp(repo.folder);
  cleanups.push(() => web[Symbol.asyncDispose]());
  const w = await world({ it: web.url(repo.path), heartbeat: '300ms' });
  const host = w.host();
  const agent = await host.start();
  await until(async () => (await w.told()).length >= 2, { what: 'the first lines' });
  web.hook = (_, response) => {
    response.writeHead(429, { 'Retry-After': '3600' }).end();
    return true;
  };
  await host.untilTrouble('slow-down');
  const asked = web.asked.length;
  let last = (await w.presence())!.sequence;
  for (let beats = 0; beats < 3; beats += 1) last = (await untilBeat(w, last)).sequence;
  expect(web.asked.length).toBe(asked);
  await agent.close();

  // Cron's minute is too early for a look, and it beats all the same.
  host.configure({ more: { status: { remote: w.status.url, heartbeat: '60s' } }, interval: '60s' });
  await host.look();
  const before = web.asked.length;
  last = (await w.presence())!.sequence;
  age(host, 'state.json', 'lastLookAt');
  age(host, 'status/own.json', 'madeAt');
  await host.run(['look', '--heartbeat']);
  await untilBeat(w, last);
  expect(web.asked.length).toBe(before);
});

/** As if a minute had passed since. */
function age(host: TestHost, path: string, key: string): void {
  const file = join(host.state, path);
  const value = JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>;
  writeFileSync(file, JSON.stringify({ ...value, [key]: value[key]! - 60_000 }));
}

test('a hook that refuses everything is a trouble of the delivery alone', async () => {
  const w = await world();
  const hook = join(w.status.bare, 'hooks/pre-receive');
  writeFileSync(hook, '#!/bin/sh\necho "no more \x1b[31mpushes today"; exit 1\n');
  chmodSync(hook, 0o755);
  const host = w.host();
  const commit = await w.it.publish(say('two'));
  const looked = await host.look();
  expect(looked.code).toBe(0);
  const status = await host.status();
  expect(status.repos[0]).toMatchObject({ applied: commit, trouble: null });
  expect(looked.stdout + looked.stderr).not.toContain('\x1b[31m');
  expect(await w.told()).toEqual([]);
  const doctor = await host.run(['doctor']);
  expect(doctor.stdout).toContain('forbidden');
  rmSync(hook);
  await host.look();
  expect(await w.told()).toEqual(['here, with pullyu 0.1.0', expect.stringMatching(/ ok at /)]);
});

test('writes of what is to be told that fail keep no action from running, and are made good for', async () => {
  const w = await world();
  const host = w.host();
  await host.look();
  const steps = [
    'create status/own.json.*.tmp',
    'create status/outbox/*.json.*.tmp',
    'create status/delivery-git.json.*.tmp',
  ];
  for (const [n, step] of steps.entries()) {
    const commit = await w.it.publish(say(`text ${n}`));
    const fault = { do: 'fail', code: 'ENOSPC', step } as const;
    const looked = await host.look({ env: faultEnvironment(host.root, { fault }) });
    expect(looked, looked.stdout + looked.stderr).toMatchObject({ code: 0 });
    expect((await host.status()).repos[0]?.applied).toBe(commit);
    await host.look();
    const lines = (await w.told()).filter((line) => line.includes(` at ${commit.slice(0, 7)}`));
    expect(lines).toHaveLength(1);
  }
});

test('a host that publishes elsewhere says at once that it is there', async () => {
  const w = await world();
  const other = await createRemote('status-2');
  cleanups.push(() => other[Symbol.dispose]());
  const host = w.host();
  await host.start();
  await until(async () => (await w.told()).length >= 2, { what: 'the first lines' });
  host.configure({ more: { status: { remote: other.url } } });
  await until(async () => (await w.told('web-1', other)).length > 0, { what: 'a line at the new place' });
  expect(await w.told('web-1', other)).toEqual(['here, with pullyu 0.1.0']);
  const presence = await git(['--git-dir', other.bare, 'show', 'refs/heads/presence/web-1:presence.json']);
  expect(JSON.parse(presence).state).toBe('working');

  // Taken out of host.yaml and put back: what happened meanwhile is told.
  host.configure({ more: {} });
  const commit = await w.it.publish(say('in between'));
  await host.untilApplied(commit);
  host.configure({ more: { status: { remote: other.url } } });
  const line = ` ok at ${commit.slice(0, 7)}`;
  await until(async () => (await w.told('web-1', other)).some((one) => one.includes(line)), {
    what: 'what happened in between',
  });
});

test('a host that is renamed is there under its new name, and nobody waits for the old one', async () => {
  const w = await world();
  const host = w.host();
  await host.look();
  host.configure({ name: 'web-9' });
  expect((await host.look()).code).toBe(0);
  await host.look();
  expect(await w.told('web-9')).toEqual(['here, with pullyu 0.1.0, before as web-1']);
  expect(await w.presence('web-1')).toBeNull();
  expect(await w.told('web-1')).toHaveLength(2);
  const fleet = await host.run(['fleet', '--json']);
  expect(fleet.json<{ hosts: { name: string }[] }>().hosts.map(({ name }) => name)).toEqual(['web-9']);
});
