/** Who may do what: real git with and without tokens, and somebody who tries. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { changeTokens } from '../../src/hub/token-file.ts';
import { CONFLICTS, HOSTS, PRESENCE, ROSTER } from '../../src/presence/git-refs.ts';
import { git } from '../support/git.ts';
import { startHub, type TestHub } from '../support/hub.ts';
import { until } from '../support/until.ts';

async function createWork(hub: TestHub): Promise<string> {
  const work = join(hub.folder, 'work');
  await git(['init', '--quiet', '--initial-branch=main', work]);
  await git(['commit', '--quiet', '--allow-empty', '-m', 'one'], { cwd: work });
  return work;
}

const refused = (what: Promise<unknown>) =>
  what.then(
    () => 'taken',
    (error: Error) =>
      /HTTP (?:Basic|\d+)|error: \d+|remote: .*|Authentication failed|could not read/i.exec(
        error.message,
      )?.[0] ?? error.message,
  );

test('nobody pushes without a token, whoever may read', async () => {
  await using hub = await startHub({ anonymousRead: true });
  const bare = await hub.createRepository('it');
  await git(['config', 'http.receivepack', 'true'], { cwd: bare });
  const work = await createWork(hub);
  expect(await refused(git(['push', hub.url('it.git'), 'main'], { cwd: work }))).toMatch(
    /token is needed|could not read/,
  );
  const read = hub.token({ scope: 'read' });
  expect(await refused(git(['push', hub.url('it.git', read), 'main'], { cwd: work }))).toMatch(
    /may not push|403/,
  );
  expect(await git(['for-each-ref'], { cwd: bare })).toBe('');
  // Also not without asking before.
  const direct = await fetch(hub.url('it.git/git-receive-pack'), {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-git-receive-pack-request' },
    body: '0000',
  });
  expect(direct.status).toBe(401);
  await git(['push', '--quiet', hub.url('it.git', hub.token()), 'main'], { cwd: work });
});

test('without anonymous reading only tokens read, each its own repositories', async () => {
  await using hub = await startHub({ anonymousRead: false });
  await hub.createRepository('it');
  await hub.createRepository('secret');
  const token = hub.token({ scope: 'read', repos: ['it'] });
  expect(await refused(git(['ls-remote', hub.url('it.git')]))).toMatch(/token is needed|could not read/);
  expect(await git(['ls-remote', hub.url('it.git', token)])).toBe('');
  // A repository that somebody may not read and one that is not there look the same.
  const ask = async (path: string) => {
    const answer = await fetch(hub.url(`${path}/info/refs?service=git-upload-pack`), {
      headers: { Authorization: `Bearer ${token}`, 'Git-Protocol': 'version=2' },
    });
    return { status: answer.status, text: await answer.text() };
  };
  expect((await ask('it.git')).status).toBe(200);
  expect(await ask('secret.git')).toEqual(await ask('nothing.git'));
  expect((await ask('secret.git')).status).toBe(404);
});

test('a token that is revoked or has expired is worth nothing, without a restart', async () => {
  await using hub = await startHub({ anonymousRead: false });
  await hub.createRepository('it');
  const token = hub.token({ scope: 'read' });
  await git(['ls-remote', hub.url('it.git', token)]);
  changeTokens(hub.repos, () => []);
  await until(async () => (await refused(git(['ls-remote', hub.url('it.git', token)]))) !== 'taken', {
    what: 'the token to be refused',
  });
  const old = hub.token({ scope: 'read', expiresAt: Date.now() - 1 });
  expect(await refused(git(['ls-remote', hub.url('it.git', old)]))).toMatch(
    /unknown, has expired|Authentication/,
  );
});

test('a host pushes what it writes in the status repository, and nothing of others', async () => {
  await using hub = await startHub({ anonymousRead: false });
  const bare = await hub.createRepository('status');
  await hub.createRepository('it');
  const work = await createWork(hub);
  const token = hub.token({ scope: 'status', host: 'web-1', repos: ['status'] });
  const to = hub.url('status.git', token);
  const own = [`${HOSTS}web-1`, `${PRESENCE}web-1`, `${CONFLICTS}web-1/0123abcd`, ROSTER];
  await git(['push', '--quiet', to, ...own.map((ref) => `main:${ref}`)], { cwd: work });
  await git(['push', '--quiet', to, `:${CONFLICTS}web-1/0123abcd`], { cwd: work });
  const before = await git(['for-each-ref'], { cwd: bare });
  for (const wanted of [
    [`main:${PRESENCE}web-2`],
    [`main:${PRESENCE}web-1`, `main:${HOSTS}web-10`],
    [`:${HOSTS}web-1`],
    ['main:refs/heads/main'],
    [`main:${CONFLICTS}web-2/0123abcd`],
  ]) {
    const said = await refused(git(['push', '--force', to, ...wanted], { cwd: work }));
    expect({ wanted, said }).toEqual({ wanted, said: expect.stringMatching(/its host writes|403/) });
  }
  expect(await git(['for-each-ref'], { cwd: bare })).toBe(before);
  expect(await refused(git(['push', hub.url('it.git', token), 'main'], { cwd: work }))).not.toBe('taken');
});

test('whoever guesses is told to wait, longer each time; the right token still works', async () => {
  await using hub = await startHub({ anonymousRead: false });
  await hub.createRepository('it');
  const token = hub.token();
  const ask = (text: string) =>
    fetch(hub.url('it.git/info/refs?service=git-upload-pack'), {
      headers: { Authorization: `Basic ${Buffer.from(`x:${text}`).toString('base64')}` },
    });
  const waits: number[] = [];
  for (let n = 0; n < 14; n += 1) {
    const answer = await ask(`${token.slice(0, -3)}AAA`);
    expect(answer.status).toBe(n < 10 ? 401 : 429);
    if (answer.status === 429) waits.push(Number(answer.headers.get('retry-after')));
  }
  expect(waits).toEqual([1, 2, 4, 8]);
  expect(hub.events).toContainEqual({ type: 'guessing', address: '127.0.0.1' });
  expect((await ask(token)).status).toBe(200);
});
