/** A web server that answers, but not as it should: each wrong answer has its own name, and none is taken for news. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { startChild } from '../support/child.ts';
import { createHost, program, type TestHost } from '../support/host.ts';
import { findProgram, needsProgram } from '../support/needs.ts';
import { emptyPage, loginPage, type Nginx, startNginx } from '../support/nginx.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { said, say, sayRepository } from '../support/say.ts';
import { type Failure, survive } from '../support/survive.ts';
import { tempFolder } from '../support/temp.ts';
import { until } from '../support/until.ts';

const WEB = ['nginx', 'fcgiwrap', 'openssl'];
const test = needsProgram(...WEB);

describe('an agent in front of a web server', () => {
  let remote: Remote;
  let nginx: Nginx;
  let elsewhere: Nginx;
  let host: TestHost;

  beforeAll(async () => {
    if (!WEB.every(findProgram)) return;
    remote = await createRemote();
    const first = await remote.publish(sayRepository('the beginning'));
    nginx = await startNginx({ folder: remote.folder });
    elsewhere = await startNginx({ folder: remote.folder, basicAuth: { user: 'x', password: 'y' } });
    host = createHost({ interval: '100ms', repos: { it: nginx.url(remote.path) } });
    await host.start();
    await host.untilApplied(first);
  });

  afterAll(async () => {
    await host?.close();
    await nginx?.close();
    await elsewhere?.close();
    remote?.[Symbol.dispose]();
  });

  const answers = (
    name: string,
    code: Failure['code'],
    answer: () => Parameters<Nginx['answer']>[0],
  ): Failure => ({
    name,
    code,
    begin: () => nginx.answer(answer()),
    end: () => nginx.answer('git'),
  });

  const FAILURES: readonly Failure[] = [
    answers('401', 'auth-refused', () => ({ status: 401 })),
    answers('403', 'forbidden', () => ({ status: 403 })),
    answers('404', 'not-found', () => ({ status: 404 })),
    answers('429 with Retry-After', 'slow-down', () => ({ status: 429, retryAfter: '1' })),
    answers('429 without a word', 'slow-down', () => ({ status: 429 })),
    answers('503 with Retry-After', 'slow-down', () => ({ status: 503, retryAfter: '1' })),
    answers('500', 'server-error', () => ({ status: 500 })),
    answers('502', 'server-error', () => ({ status: 502 })),
    answers('200 with a login page', 'not-git', () => loginPage),
    answers('200 with a line of text', 'not-git', () => ({ status: 200, body: 'We are being maintained.' })),
    answers('200 with nothing', ['empty-answer', 'not-git'], () => emptyPage),
    answers('301 to a host that asks for a password', 'redirected', () => ({
      redirect: elsewhere.url('', '127.0.0.1'),
    })),
    answers('302 to itself, without end', 'redirected', () => ({ redirect: nginx.url(), status: 302 })),
  ];

  for (const failure of FAILURES) {
    test(`survives ${failure.name}`, () => survive(host, remote, failure));
  }

  test('follows a repository that has moved to another host, and back', async () => {
    await elsewhere.setCredentials(null);
    await nginx.answer({ redirect: elsewhere.url('', '127.0.0.1') });
    await host.untilApplied(await remote.publish(say('moved')));
    await nginx.answer('git');
    nginx.forget();
    await until(() => nginx.requests().length > 0, { what: 'a question to the URL of host.yaml' });
    elsewhere.forget();
    await host.untilApplied(await remote.publish(say('moved back')));
    expect(elsewhere.requests()).toEqual([]);
  });

  test('keeps away as long as the server asks for', async () => {
    await nginx.answer({ status: 429, retryAfter: '3600' });
    await host.untilTrouble('slow-down');
    nginx.forget();
    const text = 'nobody hears this for an hour';
    await remote.publish(say(text));
    // Several status questions' worth of time, in which an agent that does not listen would have asked often.
    for (let i = 0; i < 10; i++) await host.status();
    expect(nginx.requests().length).toBeLessThanOrEqual(1);
    expect(said(host)).not.toContain(text);
  });
});

needsProgram(...WEB)(
  'reads a changed password from its file at the next look, and sends none to another host',
  async () => {
    using folder = tempFolder();
    using remote = await createRemote();
    const file = join(folder.path, 'credentials');
    const write = (password: string) =>
      writeFileSync(file, `username=host\npassword=${password}\n`, { mode: 0o600 });
    write('the first');
    const first = await remote.publish(sayRepository('one'));
    await using nginx = await startNginx({
      folder: remote.folder,
      basicAuth: { user: 'host', password: 'the first' },
    });
    await using elsewhere = await startNginx({
      folder: remote.folder,
      basicAuth: { user: 'host', password: 'the second' },
    });
    await using host = createHost({
      interval: '100ms',
      repos: { it: { remotes: [nginx.url(remote.path)], track: 'main', credentials: file } },
    });
    await host.start();
    await host.untilApplied(first);
    await survive(host, remote, {
      name: 'a password that was changed',
      code: 'auth-refused',
      begin: () => nginx.setCredentials({ user: 'host', password: 'the second' }),
      end: () => write('the second'),
    });
    await survive(host, remote, {
      name: 'a redirect with credentials',
      code: 'redirected',
      begin: () => nginx.answer({ redirect: elsewhere.url('', '127.0.0.1') }),
      end: () => nginx.answer('git'),
    });
    const authorizations = elsewhere.requests().map(({ authorization }) => authorization);
    expect(new Set(authorizations)).toEqual(new Set(['']));
  },
);

needsProgram(...WEB, 'script')('never asks for a password, not even on a terminal', async () => {
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  await using nginx = await startNginx({ folder: remote.folder, basicAuth: { user: 'host', password: 'x' } });
  await using host = createHost({ repos: { it: nginx.url(remote.path) } });
  const command = `${program} --root ${host.root} look`;
  await using terminal = startChild(['script', '-qec', command, '/dev/null'], { env: host.env });
  const { exitCode } = await terminal.ended;
  expect({ exitCode, said: terminal.output() }).toMatchObject({ exitCode: 3 });
  expect(terminal.output()).not.toMatch(/(Username|Password) for/);
});
