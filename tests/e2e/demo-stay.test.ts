/** `npm start -- --stay`: something to play with. As a user without rights, and without HAProxy, where the test may arrange for that. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { othersMayRun, startDemo } from '../support/demo.ts';
import { git } from '../support/git.ts';
import { runProgram } from '../support/host.ts';
import { tempFolder } from '../support/temp.ts';
import { until } from '../support/until.ts';

test('the demo stays up until Ctrl-C, without rights, and everybody on this machine may push to it', async () => {
  await using demo = startDemo({ args: ['--stay'], asNobody: othersMayRun(), hidden: ['haproxy'] });
  await demo.untilSays('What the agents say from now on:');
  const text = demo.child.output();
  if (demo.isHidden) expect(text).toContain('a small balancer of the demo takes its place');
  const [, page] = /look at the page +(\S+)/.exec(text)!;
  const [, url] = /change it +git clone (\S+)/.exec(text)!;
  const [, status] = /ask all hosts +\S*bin\/pullyu fleet --status (\S+)/.exec(text)!;
  const [, root] = /ask the host +\S*bin\/pullyu --root (\S+) status/.exec(text)!;

  using folder = tempFolder();
  const clone = join(folder.path, 'clone');
  await git(['clone', '--quiet', url!, clone]);
  writeFileSync(join(clone, 'apps/shop/page.html'), '<h1>Mine</h1>\n');
  await git(['commit', '--quiet', '-am', 'My own page'], { cwd: clone });
  await git(['push', '--quiet'], { cwd: clone });
  const shown = async () => (await fetch(page!)).text();
  await until(async () => (await shown()) === '<h1>Mine</h1>\n', { what: 'my own page' });
  await demo.untilSays('My own page');

  const env = { PATH: process.env.PATH!, HOME: folder.path };
  const ask = async (...args: string[]) => (await runProgram(args, { env })).stdout;
  const own = () => ask('--root', root!, 'status');
  await until(async () => (await own()).startsWith('web-1 is working'), {
    what: 'the host to be done',
    found: own,
  });
  expect(await ask('fleet', '--status', status!)).toMatch(/^3 hosts: 1 silent, /);

  demo.child.kill('SIGINT');
  expect((await demo.child.ended).exitCode).toBe(0);
  expect(demo.left()).toEqual([]);
});
