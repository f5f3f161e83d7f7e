import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PullyuError } from '../errors.ts';
import { CLASSIC, NODEWORK } from './convention.ts';
import { parseHostConfig, plainName } from './host-config.ts';
import { defaultLimits } from './limits.ts';

const defaults = { hostName: 'web-17', configFolder: '/etc/pullyu' };
const parse = (text: string | Uint8Array) => parseHostConfig(text, 'host.yaml', defaults);

/** The lines of the error; empty when the text is valid. */
function problems(text: string | Uint8Array): readonly string[] {
  try {
    parse(text);
    return [];
  } catch (error) {
    if (!(error instanceof PullyuError) || error.code !== 'host-config') throw error;
    return error.lines;
  }
}

const NO_ACCESS = {
  credentialsFile: null,
  credentialHelper: null,
  sshKey: null,
  sshKnownHosts: null,
  tlsCa: null,
  tlsCert: null,
  tlsKey: null,
  proxy: null,
};

test('the credentials of status belong to the repository, and without one to NATS', () => {
  expect(parse('status: {remote: https://git.example.com/status.git, credentials: token}').status).toEqual({
    shards: ['https://git.example.com/status.git'],
    access: { ...NO_ACCESS, credentialsFile: '/etc/pullyu/token' },
    nats: null,
    heartbeatMs: 300_000,
    facts: null,
  });
  const servers = ['nats://a:4222', 'nats://b:4222'];
  const none = { tlsCa: null, tlsCert: null, tlsKey: null };
  expect(parse('status: {nats: [nats://a:4222, nats://b:4222], credentials: bus.creds}').status).toEqual({
    shards: [],
    access: NO_ACCESS,
    nats: { servers, credentialsFile: '/etc/pullyu/bus.creds', ...none },
    heartbeatMs: 300_000,
    facts: null,
  });
  const both = parse(
    'status: {remote: /srv/status.git, credentials: a, nats: {servers: [nats://a:4222], credentials: b}, heartbeat: 1m, facts: facts.sh}',
  ).status;
  expect(both).toEqual({
    shards: ['/srv/status.git'],
    access: { ...NO_ACCESS, credentialsFile: '/etc/pullyu/a' },
    nats: { servers: ['nats://a:4222'], credentialsFile: '/etc/pullyu/b', ...none },
    heartbeatMs: 60_000,
    facts: '/etc/pullyu/facts.sh',
  });
});

test('an empty file has every default', () => {
  const expected = {
    name: 'web-17',
    labels: {},
    intervalMs: 60_000,
    nodeinfo: null,
    repos: [],
    status: null,
    metrics: null,
    notify: null,
    limits: defaultLimits,
  };
  for (const text of ['', '# nothing yet\n', 'labels:\nrepos:\nlimits:\n'])
    expect(parse(text)).toEqual(expected);
});

test('metrics go into a folder, under a name of the host where there are several', () => {
  expect(parse('metrics: {textfile: /var/prom}').metrics).toEqual({
    file: '/var/prom/pullyu.prom',
    isNamed: false,
  });
  expect(parse('metrics: {textfile: prom, file: pullyu-a.prom}').metrics).toEqual({
    file: '/etc/pullyu/prom/pullyu-a.prom',
    isNamed: true,
  });
});

test('a repo needs only its remotes', () => {
  const [repo] = parse('repos: {it: {remotes: [/srv/it.git]}}').repos;
  expect(repo).toEqual({
    name: 'it',
    remotes: ['/srv/it.git'],
    track: { ref: 'main' },
    pull: 'agent',
    clone: 'full',
    submodules: false,
    lfs: false,
    convention: CLASSIC,
    access: {
      credentialsFile: null,
      credentialHelper: null,
      sshKey: null,
      sshKnownHosts: null,
      tlsCa: null,
      tlsCert: null,
      tlsKey: null,
      proxy: null,
    },
  });
});

test('every key is understood', () => {
  const config = parse(`
name: db-1
labels: {part: db, version: 1.10, spare: true}
interval: 500ms
nodeinfo: facts
repos:
  it:
    remotes: [https://git.example.com/it.git, git@git.example.com:it.git]
    track: {tag: v*}
    pull: self
    clone: blobless
    submodules: true
    lfs: true
    convention: {work: ["work/{part}.sh"]}
    credentials: secrets/it
    credentialHelper: store
    ssh: {key: id_ed25519, knownHosts: /etc/ssh/ssh_known_hosts}
    tls: {ca: ca.pem, cert: cert.pem, key: key.pem}
    proxy: http://proxy.example.com:3128
  apps: {remotes: [/srv/apps.git], track: "tag: v1.*", convention: nodework}
  more: {remotes: [/srv/more.git], track: "deploy/{deployment}"}
limits: {freeSpaceMin: 1 GiB, runsKeptPerAction: 3, probeTimeout: 2s}
`);
  expect(config).toMatchObject({
    name: 'db-1',
    labels: { part: 'db', version: '1.10', spare: 'true' },
    intervalMs: 500,
    nodeinfo: '/etc/pullyu/facts',
    limits: { ...defaultLimits, freeSpaceMinBytes: 2 ** 30, runsKeptPerAction: 3, probeTimeoutMs: 2_000 },
  });
  const [it, apps, more] = config.repos;
  expect(it).toMatchObject({
    track: { tag: 'v*' },
    pull: 'self',
    clone: 'blobless',
    submodules: true,
    lfs: true,
    convention: { init: [], work: ['work/{part}.sh'] },
    access: {
      credentialsFile: '/etc/pullyu/secrets/it',
      credentialHelper: 'store',
      sshKey: '/etc/pullyu/id_ed25519',
      sshKnownHosts: '/etc/ssh/ssh_known_hosts',
      tlsCa: '/etc/pullyu/ca.pem',
      tlsCert: '/etc/pullyu/cert.pem',
      tlsKey: '/etc/pullyu/key.pem',
      proxy: 'http://proxy.example.com:3128',
    },
  });
  expect(apps).toMatchObject({ track: { tag: 'v1.*' }, convention: NODEWORK });
  expect(more).toMatchObject({ track: { ref: 'deploy/{deployment}' } });
});

const NAME =
  'a name of at most 64 lower-case letters, digits, ".", "_" and "-" that begins with a letter or digit';
const repo = (rest: string) => `repos:\n  it:\n    remotes: [/srv/it.git]\n    ${rest}\n`;

test.each<[string, string[]]>([
  ['[a]', ['1:1: expected a mapping of settings, found a list']],
  ['just words', ['1:1: expected a mapping of settings, found "just words"']],
  ['intervall: 5s', ['1:1: unknown key "intervall"; did you mean "interval"?']],
  [
    'roster: {remote: /x}',
    [
      '1:1: unknown key "roster"; expected one of name, labels, interval, nodeinfo, repos, status, metrics, notify, limits',
    ],
  ],
  ['status: {}', ['1:9: status: expected remote, shards or nats, found none of them']],
  ['status: {remote: /a, shards: [/b]}', ['1:9: status: expected either remote or shards, found both']],
  [
    'repos: {it: {remotes: [https://git.example.com/it.git]}}\nstatus: {remote: https://git.example.com/it}',
    ['2:18: status.remote: expected a repository of its own, found a remote of repo it'],
  ],
  [
    'status: {nats: [nats://me:secret@a:4222]}',
    [
      '1:17: status.nats[0]: expected a URL such as nats://a.example.com:4222, found one with a user or password; put them into the file that `credentials` names',
    ],
  ],
  ['name: Web', [`1:7: name: expected ${NAME}, found "Web"`]],
  ['name: [a]', ['1:7: name: expected a name, found a list']],
  [
    'interval: 60',
    ['1:11: interval: expected a duration such as 500ms, 60s, 10m, 2h or 1d, found the number 60'],
  ],
  ['interval: 0s', ['1:11: interval: expected a duration from 50ms to 1d, found "0s"']],
  ['interval: 49ms', ['1:11: interval: expected a duration from 50ms to 1d, found "49ms"']],
  ['interval: -5s', ['1:11: interval: expected a duration such as 500ms, 60s, 10m, 2h or 1d, found "-5s"']],
  ['labels: [part]', ['1:9: labels: expected a mapping of labels such as {part: app}, found a list']],
  [
    'labels: {part: }',
    ['1:10: labels.part: expected a text of 1 to 256 characters without control characters, found nothing'],
  ],
  [
    'labels: {part: "a\\tb"}',
    ['1:16: labels.part: expected a text of 1 to 256 characters without control characters, found "a\\x09b"'],
  ],
  [
    'labels: {"a b": x}',
    [
      '1:10: labels: expected a label of letters, digits, ".", "_" and "-" that begins with a letter or digit, found "a b"',
    ],
  ],
  ['nodeinfo: 5', ['1:11: nodeinfo: expected the path of a folder, found the number 5']],
  ['repos: {It: {remotes: [/x]}}', [`1:9: repos: expected ${NAME}, found "It"`]],
  ['repos: {it: }', ['1:9: repos.it: expected a mapping with remotes, found nothing']],
  ['repos: {it: {track: main}}', ['1:9: repos.it: expected the key "remotes", found none']],
  ['repos: {it: {remotes: []}}', ['1:23: repos.it.remotes: expected at least one URL, found an empty list']],
  ['repos: {it: {remotes: /srv/it.git}}', ['1:23: repos.it.remotes: expected a list of URLs, found a text']],
  [
    'repos: {it: {remotes: [[x]]}}',
    ['1:24: repos.it.remotes[0]: expected the URL of a git repository, found a list'],
  ],
  [
    repo('track: a..b'),
    [
      '4:12: repos.it.track: expected a branch such as main or deploy/{deployment}, a tag such as refs/tags/v1, or a commit id, found "a..b"',
    ],
  ],
  [
    repo('track: refs/notes/x'),
    [
      '4:12: repos.it.track: expected a branch such as main or deploy/{deployment}, a tag such as refs/tags/v1, or a commit id, found "refs/notes/x"',
    ],
  ],
  [
    repo('track: {tag: "-x"}'),
    ['4:18: repos.it.track.tag: expected a pattern of tags such as v*, found "-x"'],
  ],
  [
    repo('track: {tags: v*}'),
    [
      '4:5: repos.it.track: expected the key "tag", found none',
      '4:13: repos.it.track: unknown key "tags"; did you mean "tag"?',
    ],
  ],
  [
    repo('track: [main]'),
    ['4:12: repos.it.track: expected a branch, a tag, a commit id or {tag: v*}, found a list'],
  ],
  [repo('pull: me'), ['4:11: repos.it.pull: expected agent or self, found "me"']],
  [repo('clone: shallow'), ['4:12: repos.it.clone: expected full or blobless, found "shallow"']],
  [repo('submodules: yes'), ['4:17: repos.it.submodules: expected true or false, found "yes"']],
  [repo('lfs: 1'), ['4:10: repos.it.lfs: expected true or false, found the number 1']],
  [
    repo('convention: clasic'),
    ['4:17: repos.it.convention: expected classic, nodework or {init: [...], work: [...]}, found "clasic"'],
  ],
  [
    repo('convention: {work: [../x]}'),
    [
      '4:25: repos.it.convention.work[0]: expected a path inside the repository such as bin/work/part/{part}/work.sh, found "../x"',
    ],
  ],
  [repo('tls: {cert: x}'), ['4:11: repos.it.tls: expected key beside cert, found none']],
  [repo('ssh: {keys: x}'), ['4:11: repos.it.ssh: unknown key "keys"; did you mean "key"?']],
  [
    'limits: {fetchMax: 8 GB}',
    ['1:20: limits.fetchMax: expected a size such as 512 KiB, 100 MiB or 8 GiB, found "8 GB"'],
  ],
  [
    'limits: {outputMax: 0 B}',
    ['1:21: limits.outputMax: expected a size such as 512 KiB, 100 MiB or 8 GiB above zero, found "0 B"'],
  ],
  [
    'limits: {runsKeptPerAction: 0}',
    ['1:29: limits.runsKeptPerAction: expected a whole number from 1 to 10000, found the number 0'],
  ],
  [
    'limits: {probeTimeout: 2h}',
    ['1:24: limits.probeTimeout: expected a duration from 100ms to 10m, found "2h"'],
  ],
])('%j says what is wrong and where', (text, expected) => {
  expect(problems(text)).toEqual(expected.map((line) => `host.yaml:${line}`));
});

test('every problem is reported, in the order of the file', () => {
  const lines = problems(
    'limits: {x: 1}\ninterval: 5\nfoo: 1\nbar: 2\nrepos: {it: {remotes: [a], pull: 1}}\n',
  );
  expect(lines.map((line) => line.split(': ')[0])).toEqual([
    'host.yaml:1:10',
    'host.yaml:2:11',
    'host.yaml:3:1',
    'host.yaml:4:1',
    'host.yaml:5:24',
    'host.yaml:5:34',
  ]);
});

test('a list of problems has an end', () => {
  const keys = Array.from({ length: 80 }, (_, i) => `unknown${i}: 1`).join('\n');
  expect(problems(keys)).toHaveLength(51);
  expect(problems(keys).at(-1)).toBe('host.yaml: 30 more problems');
});

test('no message repeats what may be a secret', () => {
  const lines = problems(`repos:
  it:
    remotes: [https://me:s3cret@git.example.com/it.git, "s3cret", "https://git.example.com/?t=s3cret"]
    credentials: https://me:s3cret@git.example.com
    credentialHelper: "s3cret\\n"
    proxy: http://me:s3cret@proxy
    ssh: {key: "s3cret\\nline"}
    tls: s3cret
`);
  expect(lines).toHaveLength(9);
  expect(lines.join('\n')).not.toContain('s3cret');
});

test('what a stranger wrote is escaped', () => {
  expect(problems('"a\\e[31m": 1')[0]).toContain('unknown key "a\\x1b[31m"');
});

test('the name of a machine becomes a plain name', () => {
  expect(
    ['web-17', 'WEB_17.Example.com.', '-x', '', '\u00e4\u00f6', `${'a'.repeat(80)}`].map(plainName),
  ).toEqual(['web-17', 'web_17.example.com', 'x', 'host', 'host', 'a'.repeat(64)]);
});

test('whatever the text, there is an answer or the one error', () => {
  const word = fc.constantFrom(
    'name',
    'repos',
    'labels',
    'it',
    ':',
    ': ',
    '\n  ',
    '\n',
    '- ',
    '[',
    ']',
    '{',
    '}',
    '&a',
    '*a',
    '"',
    "'",
    '|',
    '!',
    '5s',
    '#',
    '\t',
    '?',
    ',',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(word, { maxLength: 40 }).map((words) => words.join('')),
      ),
      (text) => {
        problems(text);
      },
    ),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void problems(bytes)),
    { numRuns: 200 },
  );
});
