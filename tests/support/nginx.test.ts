import { join } from 'node:path';
import { expect } from 'vitest';
import { git } from './git.ts';
import { needsProgram } from './needs.ts';
import { loginPage, startNginx } from './nginx.ts';
import { createRemote } from './repo.ts';
import { tempFolder } from './temp.ts';

const test = needsProgram('nginx', 'fcgiwrap', 'openssl');

test('clones and pushes over http, and the log counts each request', async () => {
  using remote = await createRemote();
  const commit = await remote.publish({ files: { x: '1' } });
  await using nginx = await startNginx({ folder: remote.folder });
  using folder = tempFolder();
  const clone = join(folder.path, 'clone');
  await git(['clone', '--quiet', nginx.url(remote.path), clone]);
  expect(await git(['rev-parse', 'HEAD'], { cwd: clone })).toBe(commit);
  expect(nginx.requests().map(({ method, status }) => `${method} ${status}`)).toEqual([
    'GET 200',
    'POST 200',
    'POST 200',
  ]);
  expect(new Set(nginx.requests().map(({ connection }) => connection)).size).toBe(1);
  expect(nginx.requests().every(({ gitProtocol }) => gitProtocol === 'version=2')).toBe(true);
  nginx.forget();
  await git(['commit', '--allow-empty', '-qm', 'more'], { cwd: clone });
  await git(['push', '--quiet'], { cwd: clone });
  expect(await git(['rev-parse', 'main'], { cwd: remote.bare })).toBe(
    await git(['rev-parse', 'HEAD'], { cwd: clone }),
  );
  expect(nginx.requests().length).toBeGreaterThan(0);
});

test('clones over TLS with a client certificate and basic auth, and refuses without one of them', async () => {
  using remote = await createRemote();
  await remote.publish({ files: { x: '1' } });
  const basicAuth = { user: 'host', password: 'correct horse' };
  await using nginx = await startNginx({
    folder: remote.folder,
    tls: 'good',
    clientCertificate: true,
    basicAuth,
  });
  const listed = (...settings: string[]) =>
    git([...settings.flatMap((setting) => ['-c', setting]), 'ls-remote', nginx.url(remote.path)]);
  const trust = `http.sslCAInfo=${nginx.ca}`;
  const certificate = [`http.sslCert=${nginx.client.cert}`, `http.sslKey=${nginx.client.key}`];
  const password = `http.extraHeader=Authorization: Basic ${Buffer.from('host:correct horse').toString('base64')}`;
  expect(await listed(trust, ...certificate, password)).toContain('refs/heads/main');
  await expect(listed(...certificate, password)).rejects.toThrow(/certificate/);
  await expect(listed(trust, password)).rejects.toThrow(/400/);
  await expect(listed(trust, ...certificate)).rejects.toThrow(/could not read Username/);
  await nginx.setCredentials({ user: 'host', password: 'another' });
  await expect(listed(trust, ...certificate, password)).rejects.toThrow();
});

test('bad certificates and bad answers can be switched on and off while it runs', async () => {
  using remote = await createRemote();
  await remote.publish({ files: { x: '1' } });
  await using nginx = await startNginx({ folder: remote.folder, tls: 'good' });
  const listed = () => git(['-c', `http.sslCAInfo=${nginx.ca}`, 'ls-remote', nginx.url(remote.path)]);
  await nginx.setCertificate('expired');
  await expect(listed()).rejects.toThrow(/certificate/);
  await nginx.setCertificate('wrong-name');
  await expect(listed()).rejects.toThrow(/certificate/);
  await nginx.setCertificate('unknown-authority');
  await expect(listed()).rejects.toThrow(/certificate/);
  await nginx.setCertificate('good');
  await nginx.answer({ status: 429, retryAfter: '7' });
  await expect(listed()).rejects.toThrow(/429/);
  await nginx.answer(loginPage);
  // The fact about git that the agent must not fall for: success, and nothing.
  expect(await listed()).toBe('');
  await nginx.answer({ redirect: 'https://127.0.0.1:1' });
  await expect(listed()).rejects.toThrow();
  await nginx.answer('git');
  expect(await listed()).toContain('refs/heads/main');
  await nginx.stop();
  await expect(listed()).rejects.toThrow(/connect/);
  await nginx.start();
  expect(await listed()).toContain('refs/heads/main');
});
