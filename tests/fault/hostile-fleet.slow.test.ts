/** A status repository into which others write: nothing of theirs is used, paints the terminal, or keeps anybody from seeing the fleet. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HostId } from '../../src/model/ids.ts';
import type { Presence } from '../../src/model/presence.ts';
import { formatPresence } from '../../src/presence/format-presence.ts';
import { ensureHostKey } from '../../src/presence/host-key.ts';
import { somePresence } from '../../src/presence/presence.testing.ts';
import { signPresence } from '../../src/presence/sshsig.ts';
import { git } from '../support/git.ts';
import { createHost, type TestHost } from '../support/host.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { sayRepository } from '../support/say.ts';
import { tempFolder } from '../support/temp.ts';

let it: Remote;
let status: Remote;
let host: TestHost;
let temp: ReturnType<typeof tempFolder>;

beforeEach(async () => {
  it = await createRemote();
  status = await createRemote('status');
  temp = tempFolder('hostile');
  await it.publish(sayRepository('one'));
  host = createHost({ name: 'web-1', repos: { it: it.url }, more: { status: { remote: status.url } } });
  expect((await host.look()).code).toBe(0);
});

afterEach(async () => {
  await host.close();
  it[Symbol.dispose]();
  status[Symbol.dispose]();
  temp[Symbol.dispose]();
});

const bare = (args: string[], input?: string | Buffer) =>
  git(['--git-dir', status.bare, ...args], input === undefined ? {} : { input: input as string });

/** A commit of a presence, as anybody who may push can make it. */
async function commit(text: string, signature: string, more: readonly string[] = []): Promise<string> {
  const blob = (content: string) => bare(['hash-object', '-w', '--stdin'], content);
  const lines = [
    `100644 blob ${await blob(text)}\tpresence.json`,
    `100644 blob ${await blob(signature)}\tpresence.json.sig`,
    ...more,
  ];
  const tree = await bare(['mktree'], `${lines.join('\n')}\n`);
  return bare(['commit-tree', '-m', 'x \x1b[2J\u202e', tree]);
}

function signed(more: Partial<Presence>, text?: string): [text: string, signature: string] {
  const name = more.host ?? 'x';
  const folder = join(temp.path, name);
  mkdirSync(folder, { recursive: true });
  const said = text ?? formatPresence(somePresence({ clock: Date.now(), ...more }));
  return [said, signPresence(said, ensureHostKey(folder, name))];
}

const set = (ref: string, id: string) => bare(['update-ref', `refs/heads/${ref}`, id]);

const CONTROL = /(?!\n)[\p{Cc}\p{Cf}]/u;

async function expectCalm(): Promise<{ name: string; state: string }[]> {
  for (const args of [['fleet'], ['fleet', 'evil'], ['roster'], ['watch', 'HEAD', '--timeout', '1s']]) {
    const ran = await host.run(args, { cwd: it.folder });
    expect(ran.code, ran.stderr).not.toBeNull();
    expect(ran.stdout + ran.stderr).not.toMatch(CONTROL);
    expect(ran.stderr).not.toContain('defect of pullyu');
  }
  const fleet = await host.run(['fleet', '--json']);
  return fleet.json<{ hosts: { name: string; state: string }[] }>().hosts;
}

test('presences that want to paint the terminal, or lie about who they are, are shown as what they are', async () => {
  const paint = '\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u0000';
  // Whoever signs may say what he likes, in the form that a presence has; what is not of that form is forged.
  const raw = formatPresence(somePresence({ host: 'evil', clock: Date.now() }));
  const hostile = JSON.stringify({ ...JSON.parse(raw), reason: paint, state: 'wedged' });
  await set('presence/evil', await commit(...signed({ host: 'evil' }, hostile)));
  await set('presence/liar', await commit(...signed({ host: 'web-1' })));
  await set('presence/huge', await commit(`{"version":1,"x":"${'a'.repeat(100_000)}"}`, 'none'));
  await set('presence/deep', await commit(...signed({ host: 'deep' }, '['.repeat(8_000))));
  await set('presence/proto', await commit(...signed({ host: 'proto' }, '{"__proto__":{"version":1}}')));
  await set('presence/unsigned', await commit(raw, ''));
  await set('hosts/evil', await commit(...signed({ host: 'evil' }, hostile)));
  const hosts = await expectCalm();
  const states = new Map(hosts.map(({ name, state }) => [name, state]));
  expect(states.get('web-1')).toBe('working');
  expect([...states].filter(([name]) => name !== 'web-1').map(([, state]) => state)).toEqual(
    [...states].slice(1).map(() => 'forged'),
  );
  const roster = await host.run(['roster', '--json']);
  expect(roster.stdout).toContain('web-1');
  for (const name of ['evil', 'liar', 'huge', 'deep', 'proto', 'unsigned'])
    expect(roster.stdout).not.toContain(`"${name}"`);
});

test('thousands of strangers and claims hide nobody and keep nobody from looking', async () => {
  const stranger = await commit(...signed({ host: 'stranger' }));
  const claim = await commit(...signed({ host: 'web-1', id: 'b'.repeat(26) as HostId }));
  const refs = [
    ...Array.from({ length: 3_000 }, (_, n) => `create refs/heads/presence/s-${n} ${stranger}`),
    ...Array.from({ length: 2_000 }, (_, n) => `create refs/heads/conflicts/a-${n}/0000000a ${claim}`),
    ...Array.from(
      { length: 50 },
      (_, n) => `create refs/heads/conflicts/web-1/${String(n).padStart(8, '0')} ${claim}`,
    ),
    `create refs/heads/presence/deep/er/name ${stranger}`,
    `create refs/heads/presence/UPPER ${stranger}`,
  ];
  await bare(['update-ref', '--stdin'], `${refs.join('\n')}\n`);
  await bare(['pack-refs', '--all']);
  const wanted = await it.publish(sayRepository('two'));
  expect((await host.look()).code).toBe(0);
  expect((await host.status()).repos[0]?.applied).toBe(wanted);
  const fleet = await host.run(['fleet', '--json']);
  const { hosts } = fleet.json<{ hosts: { name: string; state: string }[] }>();
  // The claims to names that nobody has crowd out none to a name that somebody has.
  expect(hosts.find(({ name }) => name === 'web-1')).toMatchObject({ state: 'conflicting' });
  expect(hosts.filter(({ state }) => state === 'forged')).toHaveLength(3_000);
  const roster = await host.run(['roster', '--format', 'lines']);
  expect(roster.stdout.trim().split('\n')).toHaveLength(1);
  const human = await host.run(['fleet']);
  expect(human.stdout).toContain('web-1');
}, 120_000);
