/** A hub in front of a forge: real git on both sides. The forge is another hub. */
import { createHmac } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { HubMirror } from '../../src/hub/hub-mirrors.ts';
import { type Mirror, startMirror } from '../../src/hub/mirror.ts';
import type { Trouble } from '../../src/model/trouble.ts';
import { systemClock } from '../../src/system/clock.ts';
import { git } from '../support/git.ts';
import { startHub, type TestHub } from '../support/hub.ts';
import { until } from '../support/until.ts';

const SECRET = 'only the forge knows';

interface Scene extends AsyncDisposable {
  readonly forge: TestHub;
  readonly hub: TestHub;
  readonly mirror: Mirror;
  readonly troubles: (Trouble | null)[];
  readonly work: string;
  /** Commits, pushes to the forge; the commit. */
  push(...refs: string[]): Promise<string>;
  hook(more?: Record<string, string>, body?: string): Promise<number>;
}

async function createScene(o: { intervalMs?: number; gapMs?: number; first?: boolean } = {}): Promise<Scene> {
  const forge = await startHub();
  await forge.createRepository('it');
  const work = join(forge.folder, 'work');
  await git(['init', '--quiet', '--initial-branch=main', work]);
  let serial = 0;
  const push = async (...refs: string[]) => {
    serial += 1;
    await git(['commit', '--quiet', '--allow-empty', '-m', `commit ${serial}`], { cwd: work });
    await git(
      [
        'push',
        '--quiet',
        '--force',
        forge.url('it.git', forge.token()),
        ...(refs.length > 0 ? refs : ['main']),
      ],
      { cwd: work },
    );
    return git(['rev-parse', 'HEAD'], { cwd: work });
  };
  if (o.first !== false) await push();
  const secret = join(forge.folder, 'secret');
  writeFileSync(secret, `${SECRET}\n`);
  const troubles: (Trouble | null)[] = [];
  let mirror: Mirror | null = null;
  const asked: HubMirror = {
    name: 'it',
    hookSecret: secret,
    state: () => mirror!.state(),
    poke: () => mirror!.poke(),
  };
  const hub = await startHub({ mirrors: [asked] });
  mirror = await startMirror(
    { name: 'it', url: forge.url('it.git'), intervalMs: o.intervalMs ?? 3_600_000, credentials: null },
    {
      folder: join(hub.repos, 'it.git'),
      clock: systemClock,
      env: {},
      gapMs: o.gapMs ?? 20,
      onChanged: () => {},
      onTrouble: (trouble) => troubles.push(trouble),
    },
  );
  return {
    forge,
    hub,
    mirror,
    troubles,
    work,
    push,
    async hook(more = {}, body = JSON.stringify({ ref: 'refs/heads/main', n: Math.random() })) {
      const hmac = createHmac('sha256', SECRET).update(body).digest('hex');
      const answer = await fetch(hub.url('hooks/it'), {
        method: 'POST',
        headers: { 'X-Hub-Signature-256': `sha256=${hmac}`, 'X-GitHub-Event': 'push', ...more },
        body,
      });
      return answer.status;
    },
    async [Symbol.asyncDispose]() {
      await mirror?.close();
      await hub[Symbol.asyncDispose]();
      await forge[Symbol.asyncDispose]();
    },
  };
}

const mainOf = (hub: TestHub) => git(['ls-remote', hub.url('it.git'), 'refs/heads/main']);
const untilMain = (hub: TestHub, commit: string) =>
  until(async () => (await mainOf(hub)).startsWith(commit), {
    what: `the mirror to have ${commit}`,
    found: () => mainOf(hub),
  });

test('it follows its forge at its interval: new, moved and removed refs, tags and HEAD', async () => {
  await using scene = await createScene({ intervalMs: 50 });
  await git(['tag', '-a', '-m', 'v1', 'v1'], { cwd: scene.work });
  await untilMain(scene.hub, await scene.push('main', 'main:refs/heads/other', 'v1'));
  const names = async () => (await git(['ls-remote', scene.hub.url('it.git')])).match(/refs\/\S+/g);
  await until(async () => (await names())?.includes('refs/heads/other'));
  expect(await names()).toEqual(['refs/heads/main', 'refs/heads/other', 'refs/tags/v1', 'refs/tags/v1^{}']);
  await git(['symbolic-ref', 'HEAD', 'refs/heads/other'], { cwd: join(scene.forge.repos, 'it.git') });
  await git(['reset', '--quiet', '--hard', 'HEAD~1'], { cwd: scene.work });
  await untilMain(scene.hub, await scene.push('main', ':refs/tags/v1'));
  expect(await names()).toEqual(['refs/heads/main', 'refs/heads/other']);
  await until(async () =>
    (await git(['ls-remote', '--symref', scene.hub.url('it.git'), 'HEAD'])).includes('refs/heads/other'),
  );
});

test('a signed hook brings a push at once; forged and replayed ones are refused', async () => {
  await using scene = await createScene();
  await until(() => scene.mirror.state().contactAt !== null, { what: 'the first fetch' });
  const commit = await scene.push();
  const body = JSON.stringify({ ref: 'refs/heads/main' });
  expect(await scene.hook({ 'X-Hub-Signature-256': `sha256=${'0'.repeat(64)}` }, body)).toBe(401);
  expect(await scene.hook({ 'X-GitHub-Event': 'ping' }, body)).toBe(200);
  expect(await mainOf(scene.hub)).not.toContain(commit);
  expect(await scene.hook({}, body)).toBe(202);
  await untilMain(scene.hub, commit);
  expect(await scene.hook({ 'X-GitHub-Delivery': 'another' }, body)).toBe(409);
  const unknown = await fetch(scene.hub.url('hooks/other'), { method: 'POST', body });
  expect(unknown.status).toBe(401);
});

test('a hundred hooks for one push are one or two questions to the forge', async () => {
  await using scene = await createScene({ gapMs: 2_000 });
  await until(() => scene.mirror.state().contactAt !== null, { what: 'the first fetch' });
  const commit = await scene.push();
  const asked: string[] = [];
  const note = (message: unknown) => {
    const { request } = message as { request: { url?: string; headers: Record<string, string> } };
    if (request.url?.includes('info/refs')) asked.push(request.url);
  };
  subscribe('http.server.request.start', note);
  const statuses = await Promise.all(Array.from({ length: 100 }, () => scene.hook()));
  expect(new Set(statuses)).toEqual(new Set([202]));
  await until(() => scene.mirror.state().changedAt !== null && asked.length > 0);
  unsubscribe('http.server.request.start', note);
  await untilMain(scene.hub, commit);
  expect(asked.length).toBeLessThanOrEqual(6);
});

test('when the forge is away the last good state is served, with its age; it is well again by itself', async () => {
  await using scene = await createScene({ intervalMs: 100 });
  const commit = await scene.push();
  await untilMain(scene.hub, commit);
  const away = join(scene.forge.repos, 'it.git');
  renameSync(away, `${away}.away`);
  await until(() => scene.troubles.length > 0, { what: 'the trouble to be told' });
  expect(await mainOf(scene.hub)).toContain(commit);
  const shown = async () =>
    ((await (await fetch(scene.hub.url('mirrors'))).json()) as { mirrors: Record<string, unknown>[] })
      .mirrors[0]!;
  expect(await shown()).toMatchObject({ name: 'it', trouble: { code: 'not-found' } });
  renameSync(`${away}.away`, away);
  const next = await scene.push();
  await untilMain(scene.hub, next);
  expect(scene.troubles.map((trouble) => trouble?.code ?? null)).toEqual(['not-found', null]);
  expect(await shown()).toMatchObject({ trouble: null, ageSeconds: expect.any(Number) });
});

test('a forge that has lost all its refs does not empty the mirror', async () => {
  await using scene = await createScene({ intervalMs: 100 });
  const commit = await scene.push();
  await untilMain(scene.hub, commit);
  rmSync(join(scene.forge.repos, 'it.git'), { recursive: true });
  await scene.forge.createRepository('it');
  await until(() => scene.troubles.some((trouble) => trouble?.code === 'empty-answer'));
  expect(await mainOf(scene.hub)).toContain(commit);
});

test('before its first fetch nobody is told that there is nothing', async () => {
  await using scene = await createScene({ first: false, intervalMs: 100 });
  const answer = await fetch(scene.hub.url('it.git/info/refs?service=git-upload-pack'));
  expect({ status: answer.status, retry: answer.headers.get('retry-after') }).toEqual({
    status: 503,
    retry: '5',
  });
  await untilMain(scene.hub, await scene.push());
});

test('a push to a mirror is refused with where to push', async () => {
  await using scene = await createScene();
  await until(() => !scene.mirror.state().isEmpty);
  await expect(
    git(['push', scene.hub.url('it.git', scene.hub.token()), 'main:refs/heads/x'], { cwd: scene.work }),
  ).rejects.toThrow(/this is a mirror|403/);
});

test('an ordinary repository never becomes a mirror', async () => {
  await using hub = await startHub();
  await hub.createRepository('mine');
  const start = startMirror(
    { name: 'mine', url: hub.url('other.git'), intervalMs: 1_000, credentials: null },
    {
      folder: join(hub.repos, 'mine.git'),
      clock: systemClock,
      env: {},
      onChanged: () => {},
      onTrouble: () => {},
    },
  );
  await expect(start).rejects.toThrow(/ordinary repository/);
});
