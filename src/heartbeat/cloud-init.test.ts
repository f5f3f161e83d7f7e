import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { checkCloudConfig, needsCloudInit } from '../../tests/support/cloud-init.ts';
import { tempFolder } from '../../tests/support/temp.ts';
import { readNodeinfo } from '../config/nodeinfo.ts';
import {
  type CloudInitOptions,
  defaultPackages,
  renderCloudConfig,
  renderCloudFormation,
} from './cloud-init.ts';

const plain: CloudInitOptions = {
  url: 'https://git.example.com/it.git',
  repo: null,
  host: null,
  labels: { part: 'app', deployment: 'prod' },
  track: null,
  interval: null,
  nodeinfo: null,
  heartbeat: null,
  install: null,
  packages: defaultPackages,
  knownHosts: null,
};

interface CloudConfig {
  packages: string[];
  write_files: { path: string; content: string; permissions: string; append?: boolean }[];
  runcmd: string[][];
}

function config(options: Partial<CloudInitOptions> = {}): CloudConfig {
  const text = renderCloudConfig({ ...plain, ...options });
  expect(text.startsWith('#cloud-config\n')).toBe(true);
  return parse(text) as CloudConfig;
}

/** Runs the first-boot script of a configuration with stand-ins for the programs that it calls. */
function firstBoot(folder: string, cloud: CloudConfig, stubs: Record<string, string>) {
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  const node = `#!/bin/sh\nexec ${process.execPath} "$@"`;
  const all = { sleep: '#!/bin/sh\n', npm: '#!/bin/sh\n', git: '#!/bin/sh\n', node, ...stubs };
  for (const [name, text] of Object.entries(all)) writeFileSync(join(bin, name), text, { mode: 0o755 });
  const script = cloud.write_files.at(-1)!.content.replace(/^PATH=.*$/m, `PATH=${bin}:/usr/bin:/bin`);
  const file = join(folder, 'first-boot.sh');
  writeFileSync(file, script, { mode: 0o700 });
  return spawnSync(file, { encoding: 'utf8', env: {}, cwd: folder });
}

/** A pullyu that writes its words to a file, each ended by a zero byte. */
const recorder = '#!/bin/sh\nprintf "%s\\0" "$@" >words\n';

describe('cloud-config', () => {
  test('installs what is needed, then bootstraps', () => {
    using folder = tempFolder('cloud');
    const cloud = config({ track: 'deploy/{deployment}', interval: '5s', host: 'web-17', repo: 'it' });
    expect(cloud.packages).toContain('git');
    expect(cloud.runcmd).toEqual([[cloud.write_files.at(-1)!.path]]);
    const said = firstBoot(folder.path, cloud, { pullyu: recorder });
    expect(said.stderr).toBe('');
    expect(said.status).toBe(0);
    expect(readFileSync(join(folder.path, 'words'), 'utf8').split('\0').slice(0, -1)).toEqual([
      ...['bootstrap', 'https://git.example.com/it.git', '--name', 'it', '--host', 'web-17'],
      ...[
        '--track',
        'deploy/{deployment}',
        '--interval',
        '5s',
        '--label',
        'part=app',
        '--label',
        'deployment=prod',
      ],
    ]);
  });

  test('with a nodeinfo folder the labels are node facts of the practice', () => {
    const cloud = config({
      nodeinfo: '/root/nodeinfo',
      labels: { part: 'app1', stack: 's1', stacktype: 'lad1', zone: 'eu' },
    });
    expect(cloud.write_files.slice(0, -1).map(({ path, content }) => [path, content])).toEqual([
      ['/root/nodeinfo/nodepart.txt', 'app1\n'],
      ['/root/nodeinfo/stackkey.txt', 's1\n'],
      ['/root/nodeinfo/stacktype.txt', 'lad1\n'],
      ['/root/nodeinfo/zone.txt', 'eu\n'],
    ]);
    expect(cloud.write_files.at(-1)?.content).toContain('--nodeinfo /root/nodeinfo');
    expect(cloud.write_files.at(-1)?.content).not.toContain('--label');
  });

  test('the files are read back as the labels that were asked for; what no file can say is said to pullyu', () => {
    using folder = tempFolder('cloud');
    const labels = { part: 'app1', stack: 's1', deployment: `it's "prod"`, 'x.y': 'a b' };
    const cloud = config({ nodeinfo: folder.path, labels: { ...labels, state: 'mine' } });
    for (const { path, content } of cloud.write_files.slice(0, -1)) writeFileSync(path, content);
    expect(readNodeinfo(folder.path)).toEqual(labels);
    expect(cloud.write_files.at(-1)?.content).toContain('--label state=mine');
  });

  test('known hosts are added to the machine’s, for ssh remotes refuse a host that they do not know', () => {
    const cloud = config({ knownHosts: 'git.example.com ssh-ed25519 AAAA\n' });
    expect(cloud.write_files[0]).toMatchObject({
      path: '/etc/ssh/ssh_known_hosts',
      append: true,
      content: 'git.example.com ssh-ed25519 AAAA\n',
    });
  });

  test('a network that comes late is waited for', () => {
    using folder = tempFolder('cloud');
    const late = (code: number) => `#!/bin/sh\necho x >>tries\n[ "$(wc -l <tries)" -ge 3 ] || exit ${code}\n`;
    expect(firstBoot(folder.path, config(), { pullyu: late(3) }).status).toBe(0);
    expect(readFileSync(join(folder.path, 'tries'), 'utf8')).toBe('x\nx\nx\n');
  });

  test('an action that failed is left to the heartbeat; a wrong command line is not tried again', () => {
    using folder = tempFolder('cloud');
    for (const code of [1, 2, 4]) {
      const said = firstBoot(folder.path, config(), { pullyu: `#!/bin/sh\nexit ${code}\n` });
      expect({ status: said.status, stderr: said.stderr }).toEqual({ status: code, stderr: '' });
    }
  });

  test('what is missing is said with what to do', () => {
    using folder = tempFolder('cloud');
    const old = firstBoot(folder.path, config(), {
      pullyu: recorder,
      node: '#!/bin/sh\n[ "$1" = --version ] && echo v18.19.0\nexit 1\n',
    });
    expect(old.status).toBe(1);
    expect(old.stderr).toContain(
      'error: expected node 20.19 or newer, found v18.19.0\nhint: install a newer node',
    );
    const failing = firstBoot(folder.path, config({ install: 'echo "no registry" >&2; exit 1' }), {
      pullyu: recorder,
    });
    expect(failing.stderr).toContain('error: pullyu could not be installed');
    using bare = tempFolder('cloud');
    const without = firstBoot(bare.path, config(), {});
    expect(without.stderr).toContain(
      'error: expected pullyu on this machine, found none\nhint: use an image that has it',
    );
    expect(existsSync(join(folder.path, 'words'))).toBe(false);
  });

  test('every word reaches pullyu unchanged, whatever is in it', () => {
    const value = fc
      .string({ unit: 'grapheme', maxLength: 30 })
      .filter((text) => !/\p{Cc}/u.test(text) && Buffer.from(text).toString() === text);
    const nasty = fc.constantFrom(
      "it's",
      '$(id)',
      '`id`',
      '"',
      '\\',
      `\${x}`,
      '%s',
      '#',
      ' x ',
      '~',
      '*',
      '| sh',
      ': [',
      '- a',
    );
    fc.assert(
      fc.property(fc.oneof(value, nasty), fc.oneof(value, nasty), (label, track) => {
        using folder = tempFolder('cloud');
        firstBoot(folder.path, config({ labels: { zone: label }, track }), { pullyu: recorder });
        const words = readFileSync(join(folder.path, 'words'), 'utf8').split('\0').slice(0, -1);
        expect(words).toEqual(['bootstrap', plain.url, '--track', track, '--label', `zone=${label}`]);
      }),
      { numRuns: 25 },
    );
  });

  test('the installing command may be any shell', () => {
    using folder = tempFolder('cloud');
    const cloud = config({ install: `printf '%s' "it's $((1 + 1))" >installed\nexit_code=5` });
    expect(firstBoot(folder.path, cloud, { pullyu: recorder }).status).toBe(0);
    expect(readFileSync(join(folder.path, 'installed'), 'utf8')).toBe("it's 2");
  });

  test.each([
    'https://ann:secret@git.example.com/it.git',
    'https://ghp_token@github.com/x/y.git',
    'ssh://git:secret@h/x.git',
  ])('a URL with a secret is refused, and not repeated: %s', (url) => {
    expect(() => config({ url })).toThrow(/a URL with credentials in it was given/);
    expect(() => config({ url })).not.toThrow(/secret|ghp/);
    expect(() => config({ install: `git clone ${url}` })).toThrow(/credentials/);
  });

  test.each(['git@git.example.com:it.git', 'ssh://git@git.example.com/it.git', 'file:///srv/it.git'])(
    '%s is no secret',
    (url) => {
      expect(() => config({ url })).not.toThrow();
    },
  );

  test('more than a cloud accepts is refused', () => {
    expect(() => config({ knownHosts: 'x'.repeat(16 * 1024) })).toThrow(/at most 16384 bytes, found 1\d{4}/);
  });

  test('a label that is no file name is refused', () => {
    expect(() => config({ labels: { '../../etc/passwd': 'x' } })).toThrow(/plain characters/);
    expect(() => config({ labels: { part: 'a\nb' } })).toThrow(/plain characters/);
  });
});

describe('CloudFormation', () => {
  /** What CloudFormation makes of Fn::Sub. */
  function sub(text: string, values: Record<string, string>): string {
    return text.replaceAll(/\$\{(!?)([^}]*)\}/g, (_, literal: string, name: string) => {
      if (literal) return `\${${name}}`;
      if (!(name in values)) throw new Error(`unresolved: ${name}`);
      return values[name]!;
    });
  }

  test.each(['yaml', 'json'] as const)(
    'the %s form holds the same script, and references only where they are meant',
    (form) => {
      using folder = tempFolder('cloud');
      const options = {
        ...plain,
        labels: { part: 'app', deployment: `\${Deployment}`, odd: `a \${x} \${!y} \${z:-\${u}}` },
      };
      const text = renderCloudFormation(options, form);
      const value = parse(text) as { UserData: { 'Fn::Base64': { 'Fn::Sub': string } } };
      const userData = sub(value.UserData['Fn::Base64']['Fn::Sub'], {
        'AWS::StackName': 'lad1-7',
        Deployment: `it's "prod": #1`,
      });
      expect(userData.startsWith('#cloud-config\n')).toBe(true);
      const cloud = parse(userData) as CloudConfig;
      expect(
        Object.fromEntries(cloud.write_files.slice(0, -1).map(({ path, content }) => [path, content])),
      ).toEqual({
        '/root/nodeinfo/stackkey.txt': 'lad1-7\n',
        '/root/nodeinfo/nodepart.txt': 'app\n',
        '/root/nodeinfo/deployment.txt': `it's "prod": #1\n`,
        '/root/nodeinfo/odd.txt': `a \${x} \${!y} \${z:-\${u}}\n`,
      });
      const said = firstBoot(folder.path, cloud, { pullyu: recorder });
      expect({ status: said.status, stderr: said.stderr }).toEqual({ status: 0, stderr: '' });
      expect(readFileSync(join(folder.path, 'words'), 'utf8').split('\0').slice(0, 2)).toEqual([
        'bootstrap',
        plain.url,
      ]);
    },
  );
});

test('an unfinished reference is refused for CloudFormation', () => {
  const options = { ...plain, labels: { odd: `a \${b` } };
  expect(() => renderCloudFormation(options, 'yaml')).toThrow(/a reference that does not end/);
  expect(() => renderCloudConfig(options)).not.toThrow();
});

needsCloudInit()('cloud-init itself finds the document valid, and a broken one not', async () => {
  const labels = { part: '"x: y' };
  const text = renderCloudConfig({
    ...plain,
    nodeinfo: '/root/nodeinfo',
    knownHosts: 'h ssh-ed25519 AAAA',
    labels,
  });
  expect(await checkCloudConfig(text)).toMatchObject({ valid: true });
  expect(await checkCloudConfig(text.replace(/^runcmd:[\s\S]*/m, 'runcmd: 5\n'))).toMatchObject({
    valid: false,
  });
});
