import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { needsProgram } from '../../tests/support/needs.ts';
import { startNginx } from '../../tests/support/nginx.ts';
import {
  createMachine,
  createStatusRepository,
  storeOptions,
} from '../../tests/support/status-repository.ts';
import { until } from '../../tests/support/until.ts';
import { NO_ACCESS } from '../model/repo.ts';
import type { Result } from '../model/trouble.ts';
import { createGitStore } from './git-store.ts';

function value<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.trouble.code}: ${result.trouble.message}`);
  return result.value;
}

const LOG = { repo: 'it', action: 'shop', run: 'r1', text: 'it broke\n' };

for (const format of ['sha1', 'sha256'] as const) {
  test(`what a host publishes by path is read by another, with its history (${format})`, async () => {
    using repository = await createStatusRepository({ format });
    const web = createMachine('web-1');
    const store = createGitStore(repository.bare, storeOptions(repository.state('web-1')));
    const reader = createGitStore(`file://${repository.bare}`, storeOptions(repository.state('reader')));
    expect(value(await reader.read())).toEqual([]);
    expect(value(await reader.hasNews())).toBe(false);

    const first = web.transition('shop failed at 3f2a91c in 3.2 s', { log: LOG });
    const second = web.transition('shop ok at 3f2a91c in 3.0 s');
    const published = { kind: 'published', contender: null };
    expect(value(await store.publish(web.outgoing([first, second])))).toEqual(published);
    expect(value(await reader.hasNews())).toBe(true);
    const [found, ...others] = value(await reader.read());
    expect(others).toEqual([]);
    expect(found).toMatchObject({ host: 'web-1', ...second.presence, contenders: [] });
    expect(value(await reader.hasNews())).toBe(false);

    const beat = web.outgoing();
    expect(value(await store.publish(beat))).toEqual(published);
    expect(value(await reader.hasNews())).toBe(false);
    expect(value(await reader.read())[0]).toMatchObject(beat.presence);

    expect(await repository.git('log', '--format=%s|%an|%ae', 'hosts/web-1')).toBe(
      'shop ok at 3f2a91c in 3.0 s|web-1|web-1@pullyu\nshop failed at 3f2a91c in 3.2 s|web-1|web-1@pullyu',
    );
    expect(await repository.git('rev-list', '--count', 'presence/web-1')).toBe('1');
    await repository.git('fsck', '--strict');
    const history = value(await reader.history('web-1', 10));
    expect(history.map(({ subject, log }) => [subject, log])).toEqual([
      [second.subject, null],
      [first.subject, { name: 'it-shop.log', text: 'it broke\n' }],
    ]);
    expect(history[1]).toMatchObject({ at: first.at, presence: first.presence });
    expect(value(await reader.history('web-1', 1))).toHaveLength(1);
    expect(value(await reader.history('nobody', 1))).toEqual([]);
    await store.close();
    await reader.close();
  });
}

needsProgram('nginx', 'fcgiwrap')(
  'over http with a password, nothing but POSTs is needed to publish',
  async () => {
    using repository = await createStatusRepository();
    const credentials = { user: 'host', password: 'geheim' };
    await using server = await startNginx({ folder: repository.folder, basicAuth: credentials });
    const file = repository.state('credentials');
    writeFileSync(file, 'username=host\npassword=geheim\n', { mode: 0o600 });
    const access = { ...NO_ACCESS, credentialsFile: file };
    const web = createMachine('web-1');
    const store = createGitStore(
      server.url(repository.path),
      storeOptions(repository.state('web-1'), { access }),
    );
    expect(value(await store.publish(web.outgoing([web.transition('shop ok')]))).kind).toBe('published');
    // Its greeting, a list, the push, a list, the roster. The log is written behind the answer.
    await until(() => server.requests().length === 5, { what: 'five requests in the log' });
    server.forget();
    expect(value(await store.publish(web.outgoing([web.transition('shop ok again')]))).kind).toBe(
      'published',
    );
    await until(() => server.requests().length >= 3, { what: 'three requests in the log' });
    expect(server.requests().map(({ method, uri }) => `${method} ${uri}`)).toEqual([
      'POST /status.git/git-receive-pack',
      'POST /status.git/git-upload-pack',
      'POST /status.git/git-receive-pack',
    ]);
    const reader = createGitStore(
      server.url(repository.path),
      storeOptions(repository.state('reader'), { access }),
    );
    expect(value(await reader.read())).toHaveLength(1);
    server.forget();
    expect(value(await reader.hasNews())).toBe(false);
    await until(() => server.requests().length >= 2, { what: 'two requests in the log' });
    expect(server.requests()).toHaveLength(2);
    expect(value(await reader.hasNews())).toBe(false);
    await until(() => server.requests().length >= 3, { what: 'three requests in the log' });
    expect(server.requests()).toHaveLength(3);
    expect(value(await reader.history('web-1', 10)).map(({ subject }) => subject)).toEqual([
      'shop ok again',
      'shop ok',
    ]);
    await store.close();
    await reader.close();

    const stranger = createGitStore(server.url(repository.path), storeOptions(repository.state('stranger')));
    expect(await stranger.publish(web.outgoing())).toMatchObject({
      ok: false,
      trouble: { code: 'auth-refused' },
    });
    await repository.git('config', 'http.receivepack', 'false');
    const refused = await store.publish(web.outgoing());
    // fcgiwrap may close before it has read what a program does not want to read, and nginx calls that a bad gateway.
    expect(['forbidden', 'server-error']).toContain(refused.ok || refused.trouble.code);
    await stranger.close();
    await store.close();
  },
);
