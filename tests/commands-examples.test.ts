/** The examples of docs/commands.md: everything that they show is printed by the program, when somebody does what they tell. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startChild } from './support/child.ts';
import { createHost, program } from './support/host.ts';
import { readPage } from './support/markdown.ts';
import { createRemote, type Remote } from './support/repo.ts';
import { until } from './support/until.ts';

const YAML = `actions:
  shop:
    run: apps/shop/deploy.sh
    hosts: {part: app}
  lb:
    run: lb/write-config.sh
    hosts: {part: lb}
  backup:
    run: db/backup.sh
    on: [{schedule: "17 3 * * *", tz: Europe/Berlin}]
`;
const GOOD = '#!/bin/sh\necho "deploys version 1"\n';
const BAD = '#!/bin/sh\necho "expected java 21, found none" >&2\nexit 1\n';

/** What differs from run to run and from machine to machine is replaced by its kind. */
function plain(text: string): string {
  return text
    .replace(/\d{8}T\d{6}\.\d{3}-[a-z0-9]{4}/g, 'RUN')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/\b[0-9a-f]{40}\b/g, 'FULL')
    .replace(/\b(?=[0-9a-f]*\d)[0-9a-f]{7}\b/g, 'COMMIT')
    .replace(/\b\d+ (ms|s|min|h|d)\b/g, 'LONG')
    .replace(/\b[\d.]+ [KMGT]iB/g, 'SIZE')
    .replace(/^(ok +(?:node|git)) .*/gm, '$1 VERSION')
    .replace(/\bagent \d\S*/g, 'agent VERSION')
    .replace(/\/pullyu-[0-9a-f]{8}$/gm, '/pullyu')
    .replace(/trees\/[ab]/g, 'trees/SLOT')
    .replace(/ {2,}/g, '  ')
    .trimEnd();
}

/** Lines of output in the page's blocks, with the command above each. */
function shown(): { command: string; line: string }[] {
  const lines: { command: string; line: string }[] = [];
  for (const [, block = ''] of readPage('commands.md').matchAll(/```\n(\$ pullyu [\s\S]*?)```/g)) {
    let command = '';
    for (const line of block.trimEnd().split('\n')) {
      if (line.startsWith('$ ')) command = line.slice(2);
      else lines.push({ command, line: plain(line) });
    }
  }
  return lines;
}

test('what the examples show is what the program prints', async () => {
  using remote = await createRemote();
  const person = {
    GIT_AUTHOR_NAME: 'A',
    GIT_AUTHOR_EMAIL: 'a@b',
    GIT_COMMITTER_NAME: 'A',
    GIT_COMMITTER_EMAIL: 'a@b',
  };
  await using host = createHost({ env: person });
  const printed = new Set<string>();
  const places: readonly [string, string][] = [
    [remote.url, 'https://git.example.com/it.git'],
    [host.root, ''],
    [remote.work, '/home/me/it'],
  ];
  const note = (text: string) => {
    const named = places.reduce((all, [from, to]) => all.replaceAll(from, to), text);
    for (const line of named.split('\n')) printed.add(plain(line));
  };
  const run = async (args: readonly string[], cwd = host.root) => {
    const ran = await host.run(args, { cwd });
    note(ran.stdout + ran.stderr);
    return ran;
  };

  await remote.publish({
    files: { 'pullyu.yaml': YAML },
    scripts: { 'apps/shop/deploy.sh': GOOD, 'lb/write-config.sh': GOOD, 'db/backup.sh': GOOD },
    message: 'shop: version 1',
  });
  await run(['bootstrap', remote.url, '--host', 'web-1', '--label', 'part=app', '--heartbeat', 'none']);
  await remote.publish({ scripts: { 'apps/shop/deploy.sh': BAD }, message: 'shop: version 2' });
  for (const command of [
    'look',
    'status',
    'plan',
    'why shop',
    'history',
    'logs shop',
    'redo shop',
    'run shop',
    'run shop --as-agent',
  ])
    await run(command.split(' '));
  await run(['plan', '--tree', '.', '--host', 'part=lb'], remote.work);
  await run(['pause', '--for', '2h', '--reason', 'db migration']);
  await run(['resume']);
  await remote.revert();
  await run(['look']);
  await rewrite(remote);
  await run(['look']);
  await run(['accept', await remote.head()]);
  await run(['look']);
  await run(['doctor']);
  await run(['try']);
  const checkout = join(host.state, 'repos/it/try/checkout');
  writeFileSync(join(checkout, 'apps/shop/deploy.sh'), GOOD.replace('version 1', 'version 2'));
  for (const command of ['try status', 'try run shop']) await run(command.split(' '));
  await run(['try', 'push', '-m', 'shop: version 2']);
  await run(['try', 'end']);
  await run(['look']);
  await run(['rollback']);
  for (const command of ['install --heartbeat cron', 'install --heartbeat cron', 'uninstall'])
    await run(command.split(' '));
  await run(['cloud-init', 'https://git.example.com/it.git', '--label', 'part=app']);

  const agent = startChild([program, '--root', host.root, 'agent'], { env: host.env });
  await until(() => agent.output().includes('follows'), { what: 'the agent to begin' });
  await agent.close();
  note(agent.output());

  await run(['lint', '--host', 'part=app', 'part=db'], remote.work);
  writeFileSync(join(remote.work, 'pullyu.yaml'), YAML.replace('hosts: {part: lb}', 'host: {part: lb}'));
  await run(['lint'], remote.work);
  await run(['detect', 'last-action', '--action', 'deploy'], remote.work);
  await run(['lock', 'deploy', '--', 'apps/shop/deploy.sh'], remote.work);
  expect((await run(['detect', 'last-action', '--action', 'deploy'], remote.work)).stdout).toBe('');

  using status = await createRemote('status');
  appendFileSync(host.hostFile, `status: {remote: ${status.url}}\n`);
  await remote.git('checkout', '--quiet', '--', '.');
  await remote.git('pull', '--quiet', '--rebase', 'origin', 'main');
  await host.look();
  for (const command of ['fleet', 'fleet web-1', 'fleet --expect HEAD', 'watch HEAD'])
    await run(command.split(' '), remote.work);
  await run(['roster', '--format', '{name} {label.part}'], remote.work);

  const channels = '[{script: /bin/true}, {script: /bin/false, level: chatty}]';
  appendFileSync(host.hostFile, `notify: {from: {part: control}, channels: ${channels}}\n`);
  await run(['notify', 'test']);

  const lines = shown();
  expect(lines.length).toBeGreaterThan(60);
  expect(lines.filter(({ line }) => !printed.has(line))).toEqual([]);
});

/** Another history with the content of the first commit. */
async function rewrite(remote: Remote): Promise<void> {
  await remote.git('reset', '--quiet', '--hard', 'HEAD~2');
  await remote.commit({ message: 'shop: rewritten' });
  await remote.forcePush();
}
