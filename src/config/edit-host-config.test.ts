import fc from 'fast-check';
import { expect, test } from 'vitest';
import { editHostConfig, formatHostConfig } from './edit-host-config.ts';
import { parseHostConfig } from './host-config.ts';
import type { HostSettings } from './host-schema.ts';

const parse = (text: string) =>
  parseHostConfig(text, 'host.yaml', { hostName: 'web-17', configFolder: '/etc/pullyu' });
const repo = { remotes: ['https://git.example.com/it.git'] };

test('a new file is what a person would write', () => {
  const text = formatHostConfig(
    {
      name: 'web-17',
      labels: { part: 'app', version: '1.10' },
      interval: '5s',
      repos: { it: { remotes: [...repo.remotes, '/srv/it.git'], track: { tag: 'v*' } } },
    },
    '/opt/pullyu/schemas/host.schema.json',
  );
  expect(text).toBe(`# yaml-language-server: $schema=/opt/pullyu/schemas/host.schema.json
name: web-17
labels: {part: app, version: "1.10"}
interval: 5s
repos:
  it:
    remotes: [https://git.example.com/it.git, /srv/it.git]
    track: {tag: v*}
`);
});

test('a file without settings is valid', () => {
  expect(parse(formatHostConfig({}))).toEqual(parse(''));
});

test('settings that are not valid are not written', () => {
  expect(() => formatHostConfig({ interval: '0s' })).toThrow('expected a valid host.yaml, found 1 problem');
});

const MINE = `# My web server
name: web-17   # do not rename
labels:
  # what it does
  part: app

repos:
  # first things first
  base:
    remotes:
      - /srv/base.git # local
interval: 60s
`;

test('a change keeps comments and order', () => {
  expect(
    editHostConfig(MINE, { interval: '5s', labels: { zone: 'eu' }, repos: { it: repo } }),
  ).toBe(`# My web server
name: web-17 # do not rename
labels:
  # what it does
  part: app
  zone: eu

repos:
  # first things first
  base:
    remotes:
      - /srv/base.git # local
  it:
    remotes: [https://git.example.com/it.git]
interval: 5s
`);
});

test('a change that says what is there already changes not one byte', () => {
  const change = {
    name: 'web-17',
    interval: '60s',
    labels: { part: 'app' },
    repos: { base: { remotes: ['/srv/base.git'] } },
  };
  expect(editHostConfig(MINE, change)).toBe(MINE);
  const text = editHostConfig(MINE, { repos: { it: repo } });
  expect(editHostConfig(text, { repos: { it: repo } })).toBe(text);
});

test('keys of a repo that are not named stay', () => {
  const text = editHostConfig('repos:\n  it:\n    remotes: [/a]\n    track: next\n', {
    repos: { it: { remotes: ['/b'] } },
  });
  expect(text).toBe('repos:\n  it:\n    remotes: [/b]\n    track: next\n');
});

test.each([
  ['', 'labels: {part: app}\n'],
  ['# only a comment\n', '# only a comment\n\nlabels: {part: app}\n'],
  ['labels:\nname: x\n', 'labels: {part: app}\nname: x\n'],
  ['labels: {zone: eu}\n', 'labels: {zone: eu, part: app}\n'],
])('a label is added to %j', (text, expected) => {
  expect(editHostConfig(text, { labels: { part: 'app' } })).toBe(expected);
});

test('what an alias shares with another place is not changed there', () => {
  const text = editHostConfig('repos:\n  a: &x {remotes: [/a]}\n  b: *x\n', {
    repos: { b: { track: 'next' } },
  });
  expect(parse(text).repos.map(({ name, track }) => [name, track])).toEqual([
    ['a', { ref: 'main' }],
    ['b', { ref: 'next' }],
  ]);
});

test('a broken file is not touched', () => {
  expect(() => editHostConfig('a: [', { interval: '5s' }, '/etc/pullyu/host.yaml')).toThrow(
    'expected a valid /etc/pullyu/host.yaml, found',
  );
  expect(() => editHostConfig('interval: 5s', { interval: '5' })).toThrow(
    'expected a valid host.yaml, found 1 problem',
  );
});

const name = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,20}$/).filter((text) => !(text in Object.prototype));
const labelValue = fc
  .oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }),
    fc.constantFrom('1.10', 'true', 'null', '~', '0x1F', '- a', '# x', '*a', '&a', 'a: b', ' ', '"'),
  )
  .filter((text) => !/[\p{Cc}\p{Cs}]/u.test(text));
const settings: fc.Arbitrary<HostSettings> = fc.record(
  {
    name,
    labels: fc.dictionary(name, labelValue, { maxKeys: 4 }),
    interval: fc.constantFrom('500ms', '5s', '10m', '1d'),
    nodeinfo: fc.constantFrom('/root/nodeinfo', 'facts'),
    repos: fc.dictionary(
      name,
      fc.record(
        {
          remotes: fc.uniqueArray(
            fc.constantFrom('/srv/it.git', 'https://git.example.com/it.git', 'git@git.example.com:it.git'),
            { minLength: 1 },
          ),
          track: fc.constantFrom('main', '1.10', 'true', 'deploy/{deployment}', { tag: 'v*' }),
          pull: fc.constantFrom('agent' as const, 'self' as const),
          submodules: fc.boolean(),
          convention: fc.constantFrom('classic' as const, 'nodework' as const),
          ssh: fc.constant({ key: 'id' }),
        },
        { requiredKeys: ['remotes'] },
      ),
      { maxKeys: 3 },
    ),
  },
  { requiredKeys: [] },
);

test('what is formatted is parsed to the same', () => {
  fc.assert(
    fc.property(settings, (written) => {
      const config = parse(formatHostConfig(written));
      expect(config.name).toBe(written.name ?? 'web-17');
      expect(config.labels).toEqual(written.labels ?? {});
      expect(config.repos.map((one) => one.name).sort()).toEqual(Object.keys(written.repos ?? {}).sort());
      for (const one of config.repos) {
        const { remotes, track = 'main' } = written.repos![one.name]!;
        expect(one.remotes).toEqual(remotes);
        expect(one.track).toEqual(typeof track === 'object' ? track : { ref: track });
      }
    }),
    { numRuns: 150 },
  );
});

test('whatever is there, a label is set beside it and the rest stays', () => {
  fc.assert(
    fc.property(settings, labelValue, (written, value) => {
      const before = formatHostConfig(written);
      const after = editHostConfig(before, { labels: { added: value } });
      const config = parse(before);
      expect(parse(after)).toEqual({ ...config, labels: { ...config.labels, added: value } });
      expect(editHostConfig(after, { labels: { added: value } })).toBe(after);
    }),
    { numRuns: 150 },
  );
});
