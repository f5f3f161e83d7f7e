import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse as parseYaml, stringify } from 'yaml';
import { PullyuError } from '../errors.ts';
import { parseHostConfig } from './host-config.ts';

const DEFAULTS = { hostName: 'web-1', configFolder: '/etc/pullyu' };
const STATUS = 'status: {remote: https://git.example.com/status.git}\n';

function parse(notify: string) {
  return parseHostConfig(`${STATUS}notify: ${notify}\n`, 'host.yaml', DEFAULTS).notify;
}

const channels = (text: string) => parse(`{from: {part: control}, channels: [${text}]}`)!.channels;

function problems(text: string): readonly string[] {
  try {
    parseHostConfig(text, 'host.yaml', DEFAULTS);
    return [];
  } catch (error) {
    if (error instanceof PullyuError) return error.lines;
    throw error;
  }
}

const NO_FILES = { urlFile: null, tokenFile: null, headersFile: null, tlsCa: null };

test('every kind of channel', () => {
  expect(channels('{webhook: https://a.example.com/x?key=1}')).toEqual([
    { kind: 'webhook', level: 'critical', template: null, url: 'https://a.example.com/x?key=1', ...NO_FILES },
  ]);
  expect(channels('{slack: {urlFile: slack-url}, level: chatty, ca: /ca.pem}')).toEqual([
    {
      kind: 'slack',
      level: 'chatty',
      ...NO_FILES,
      url: null,
      urlFile: '/etc/pullyu/slack-url',
      tlsCa: '/ca.pem',
    },
  ]);
  expect(channels('{mattermost: https://m.example.com/hooks/x, headersFile: h}')).toMatchObject([
    { kind: 'mattermost', headersFile: '/etc/pullyu/h' },
  ]);
  expect(channels('{ntfy: https://ntfy.sh/topic, tokenFile: t}')).toMatchObject([
    { kind: 'ntfy', tokenFile: '/etc/pullyu/t' },
  ]);
  expect(
    channels('{script: tell.sh}, {mail: root}, {mail: [ops@example.com, b+c@d.example], level: chatty}'),
  ).toEqual([
    { kind: 'script', level: 'critical', program: '/etc/pullyu/tell.sh' },
    { kind: 'mail', level: 'critical', to: ['root'] },
    { kind: 'mail', level: 'chatty', to: ['ops@example.com', 'b+c@d.example'] },
  ]);
});

test('a template is a text with braces, or a file', () => {
  const template = (text: string) => channels(`{webhook: https://a.example.com, template: '${text}'}`)[0];
  expect(template('{"t": "{text}"}')).toMatchObject({ template: { text: '{"t": "{text}"}' } });
  expect(template('alert.json')).toMatchObject({ template: { file: '/etc/pullyu/alert.json' } });
});

test('labels and times have their forms; two minutes are held', () => {
  const notify = parse('{from: {part: [control, 7]}, channels: [{mail: root}]}');
  expect(notify).toMatchObject({ from: { part: ['control', '7'] }, holdMs: 120_000 });
});

test.each([
  ['{channels: [{mail: root}]}', 'expected the key "from", found none'],
  ['{from: {part: a}, channels: []}', 'at least one channel'],
  [
    '{from: {part: a}, channels: [{post: x}]}',
    'expected a mapping with webhook, slack, mattermost, ntfy, script or mail',
  ],
  [
    '{from: {part: a}, channels: [{slack: https://u:pw@hooks.example.com/x}]}',
    'found one with a user or password',
  ],
  ['{from: {part: a}, channels: [{slack: ftp://hooks.example.com/x}]}', 'found another scheme'],
  ['{from: {part: a}, channels: [{mail: "-Xfile@example.com"}]}', 'expected a mail address'],
  ['{from: {part: a}, channels: [{mail: "a@b.example\\nBcc: c@d.example"}]}', 'expected a mail address'],
  [
    '{from: {part: a}, channels: [{webhook: "https://a.example.com", template: "{txt}"}]}',
    'found another field',
  ],
  ['{from: {part: a}, channels: [{mail: root, level: loud}]}', 'expected critical or chatty'],
  ['{from: {part: a}, channels: [{script: x, token: y}]}', 'unknown key'],
  ['{from: {part: a}, hold: 1ms, channels: [{mail: root}]}', 'a duration from 100ms'],
])('%s is refused', (notify, why) => {
  const found = problems(`${STATUS}notify: ${notify}\n`);
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(why);
});

test('without a status there is nothing to tell', () => {
  expect(problems('notify: {from: {part: a}, channels: [{mail: root}]}')).toEqual([
    'host.yaml:1:1: notify: expected status beside it, found none',
  ]);
});

test('no message repeats what may be a secret', () => {
  for (const value of [
    'https://user:s3cr3t@h.example',
    'hxxp://h.example/s3cr3t',
    '{urlFile: "https://h/s3cr3t"}',
    '[s3cr3t]',
  ])
    for (const kind of ['webhook', 'slack', 'mattermost', 'ntfy']) {
      const found = problems(`${STATUS}notify: {from: {part: a}, channels: [{${kind}: ${value}}]}\n`);
      expect(found.length).toBeGreaterThan(0);
      expect(found.join('\n')).not.toContain('s3cr3t');
    }
});

test('the examples of docs/notify.md are valid', () => {
  const page = readFileSync(new URL('../../docs/notify.md', import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text!);
  expect(blocks).toHaveLength(2);
  for (const block of blocks) {
    const value: unknown = parseYaml(block);
    const notify = { from: { part: 'control' }, channels: value };
    const text = Array.isArray(value) ? STATUS + stringify({ notify }) : block;
    expect(problems(text)).toEqual([]);
  }
});
