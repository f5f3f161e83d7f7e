import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PullyuError } from '../errors.ts';
import { checkRepoConfig, parseRepoConfig } from './repo-config.ts';

const parse = (text: string | Uint8Array) => parseRepoConfig(text, { repo: 'it' });

function problems(text: string | Uint8Array): readonly string[] {
  try {
    parse(text);
    return [];
  } catch (error) {
    if (!(error instanceof PullyuError) || error.code !== 'repo-config') throw error;
    return error.lines;
  }
}

test('an empty file has no actions', () => {
  for (const text of ['', 'actions:\n', 'actions: {}\n']) expect(parse(text)).toEqual([]);
});

test('an action needs only what to run; everything else has a default', () => {
  expect(parse('actions: {shop: {run: apps/shop/deploy.sh}}')).toEqual([
    {
      repo: 'it',
      name: 'shop',
      origin: 'pullyu.yaml',
      run: ['apps/shop/deploy.sh'],
      hosts: null,
      paths: ['apps/shop/**'],
      on: [{ type: 'change' }],
      check: null,
      timeoutMs: 600_000,
      user: null,
      env: {},
      after: [],
      kind: 'idempotent',
      catchUp: 'latest',
      undo: null,
      retry: { delayMs: 10_000, delayMaxMs: 600_000, attempts: 8 },
    },
  ]);
});

test('every key is understood', () => {
  const [java, shop] = parse(`
actions:
  java: {run: packages/java.sh}
  shop:
    run: [python3, apps/deploy.py, --port, 8080]
    hosts: {part: app, deployment: [prod, 1.10]}
    paths: [apps/**, ./lib/**, lib/**]
    on: [change, change, look, boot, {schedule: " 17  3 * * * ", tz: Europe/Berlin}, {schedule: "@daily"}, {presence: {part: [app, 7]}}, {presence: {}, settle: 1m, facts: [port, 8, port]}]
    check: apps/needed.sh
    timeout: 2h
    user: shop
    env: {PORT: 8080, DEBUG: false, EMPTY: ""}
    after: [java]
    kind: check
    catchUp: each
    undo: [apps/remove.sh, --all]
    retry: {delay: 1s, max: 1h, attempts: 3}
`);
  expect(java?.name).toBe('java');
  expect(shop).toMatchObject({
    run: ['python3', 'apps/deploy.py', '--port', '8080'],
    hosts: { part: 'app', deployment: ['prod', '1.10'] },
    paths: ['apps/**', 'lib/**'],
    on: [
      { type: 'change' },
      { type: 'look' },
      { type: 'boot' },
      { type: 'schedule', cron: '17 3 * * *', tz: 'Europe/Berlin' },
      { type: 'schedule', cron: '@daily', tz: null },
      { type: 'presence', of: { part: ['app', '7'] }, settleMs: 10_000, facts: [] },
      { type: 'presence', of: {}, settleMs: 60_000, facts: ['8', 'port'] },
    ],
    check: ['apps/needed.sh'],
    timeoutMs: 7_200_000,
    user: 'shop',
    env: { PORT: '8080', DEBUG: 'false', EMPTY: '' },
    after: ['java'],
    kind: 'check',
    catchUp: 'each',
    undo: ['apps/remove.sh', '--all'],
    retry: { delayMs: 1_000, delayMaxMs: 3_600_000, attempts: 3 },
  });
});

test.each([
  ['deploy.sh', '**'],
  ['./deploy.sh', '**'],
  ['apps/shop/deploy.sh', 'apps/shop/**'],
  ['./apps/deploy.sh', 'apps/**'],
  ['"apps/(old)[1]/x.sh"', 'apps/\\(old\\)\\[1\\]/**'],
  ['[make, deploy]', '**'],
  ['[/usr/bin/make, deploy]', '**'],
  ['[apps/deploy.sh, now]', 'apps/**'],
])('without paths, what is relevant to %s is %s', (run, expected) => {
  expect(parse(`actions: {a: {run: ${run}}}`)[0]?.paths).toEqual([expected]);
});

const action = (rest: string) => `actions:\n  a:\n    run: x.sh\n    ${rest}\n`;
const TRIGGERS =
  'change, look, boot, {schedule: "17 3 * * *", tz: Europe/Berlin} or {presence: {part: app}, settle: 10s}';
const SCHEDULE = 'a schedule of five (or six) fields such as "17 3 * * *"';

test.each<[string, string[]]>([
  ['action: {}', ['1:1: unknown key "action"; did you mean "actions"?']],
  ['actions: [a]', ['1:10: actions: expected a mapping from the names of actions, found a list']],
  ['actions: {a: }', ['1:11: actions.a: expected a mapping with run, found nothing']],
  ['actions: {a: {}}', ['1:11: actions.a: expected the key "run", found none']],
  [
    'actions: {a: {run: /bin/x}}',
    ['1:20: actions.a.run: expected a path inside the repository, found an absolute one'],
  ],
  [
    'actions: {a: {run: ../x}}',
    ['1:20: actions.a.run: expected a path inside the repository, found one with ".."'],
  ],
  [
    'actions: {a: {run: .git/hooks/x}}',
    ['1:20: actions.a.run: expected a path inside the repository, found one inside .git'],
  ],
  [
    'actions: {a: {run: [../x, y]}}',
    ['1:20: actions.a.run: expected a path inside the repository, found one with ".."'],
  ],
  ['actions: {a: {run: []}}', ['1:20: actions.a.run: expected at least one word, found an empty list']],
  [
    'actions: {a: {run: [""]}}',
    ['1:20: actions.a.run: expected a path or program as first word, found an empty text'],
  ],
  [
    'actions: {a: {run: {x: y}}}',
    ['1:20: actions.a.run: expected the path of a script, or a list of words, found a mapping'],
  ],
  [
    'actions: {a: {run: [[x]]}}',
    [
      '1:21: actions.a.run[0]: expected a word of a command: a text without NUL, of at most 4096 characters, found a list',
    ],
  ],
  [action('run: y.sh'), ['4:5: expected each key once, found "run" again (first in line 3)']],
  [action('timout: 5s'), ['4:5: actions.a: unknown key "timout"; did you mean "timeout"?']],
  [
    action('health: {run: x}'),
    [
      '4:5: actions.a: unknown key "health"; expected one of run, hosts, paths, on, check, timeout, user, env, after, kind, catchUp, undo, retry, limits',
    ],
  ],
  [action('timeout: 0s'), ['4:14: actions.a.timeout: expected a duration from 100ms to 7d, found "0s"']],
  [
    action('hosts: {part: []}'),
    ['4:19: actions.a.hosts.part: expected at least one value, found an empty list'],
  ],
  [
    action('hosts: {part: {x: y}}'),
    ['4:19: actions.a.hosts.part: expected the value of a label, or a list of values, found a mapping'],
  ],
  [
    action('hosts: [part]'),
    ['4:12: actions.a.hosts: expected a mapping of labels such as {part: app}, found a list'],
  ],
  [action('paths: []'), ['4:12: actions.a.paths: expected at least one glob, found an empty list']],
  [
    action('paths: [/etc/**, ../x, "!x"]'),
    [
      '4:13: actions.a.paths[0]: expected a glob inside the repository, found an absolute one',
      '4:22: actions.a.paths[1]: expected a glob inside the repository, found one with ".."',
      '4:28: actions.a.paths[2]: expected a glob of paths that are relevant, found one that begins with "!"',
    ],
  ],
  [action('on: look'), ['4:9: actions.a.on: expected a list such as [change], found "look"']],
  [action('on: []'), ['4:9: actions.a.on: expected at least one trigger, found an empty list']],
  [action('on: [bootstrap]'), [`4:10: actions.a.on[0]: expected ${TRIGGERS}, found "bootstrap"`]],
  [
    action('on: [{presence: app}]'),
    ['4:21: actions.a.on[0].presence: expected a mapping of labels such as {part: app}, found "app"'],
  ],
  [
    action('on: [{presence: {part: []}}]'),
    ['4:28: actions.a.on[0].presence.part: expected at least one value, found an empty list'],
  ],
  [
    action('on: [{presence: {part: app}, settle: soon, fact: port}]'),
    [
      '4:42: actions.a.on[0].settle: expected a duration such as 500ms, 60s, 10m, 2h or 1d, found "soon"',
      '4:48: actions.a.on[0]: unknown key "fact"; did you mean "facts"?',
    ],
  ],
  [
    action('on: [{presence: {part: app}, facts: [a b]}]'),
    [
      '4:42: actions.a.on[0].facts[0]: expected the name of a fact: letters, digits, ".", "_" and "-", found "a b"',
    ],
  ],
  [
    action('on: [{presense: {part: app}}]'),
    ['4:11: actions.a.on[0]: unknown key "presense"; did you mean "presence"?'],
  ],
  [action('on: [{settle: 5s}]'), [`4:10: actions.a.on[0]: expected ${TRIGGERS}, found a mapping`]],
  [
    action('on: [{schedule: "17 3 * * *", presence: {part: app}}]'),
    ['4:35: actions.a.on[0]: unknown key "presence"; expected one of schedule, tz'],
  ],
  [
    action('on: [{schedule: "99 * * * *"}]'),
    [`4:21: actions.a.on[0].schedule: expected ${SCHEDULE}, found "99 * * * *"`],
  ],
  [
    action('on: [{schedule: "30 4 30 2 *"}]'),
    ['4:21: actions.a.on[0].schedule: expected a schedule that comes at some time, found "30 4 30 2 *"'],
  ],
  [
    action('on: [{schedule: "2026-01-01T00:00:00"}]'),
    [`4:21: actions.a.on[0].schedule: expected ${SCHEDULE}, found "2026-01-01T00:00:00"`],
  ],
  [
    action('on: [{schedule: "* * * * *", tz: Europe/Atlantis}]'),
    ['4:38: actions.a.on[0].tz: expected a time zone such as Europe/Berlin or UTC, found "Europe/Atlantis"'],
  ],
  [action('user: "a b"'), ['4:11: actions.a.user: expected the name of a user, found "a b"']],
  [
    action('env: {PULLYU_HOST: x}'),
    [
      '4:11: actions.a.env: expected a name that does not begin with PULLYU_ (those are set by pullyu), found "PULLYU_HOST"',
    ],
  ],
  [
    action('env: {1A: x}'),
    [
      '4:11: actions.a.env: expected the name of a variable: letters, digits and "_", not beginning with a digit, found "1A"',
    ],
  ],
  [
    action('env: {A: [s3cret]}'),
    ['4:14: actions.a.env.A: expected a text without NUL, of at most 32768 characters, found a list'],
  ],
  [
    action('after: [other]'),
    ['4:13: actions.a.after: expected the name of an action of this file, found "other"'],
  ],
  [action('kind: twice'), ['4:11: actions.a.kind: expected idempotent, once or check, found "twice"']],
  [action('kind: check'), ['4:11: actions.a.kind: expected the key "check" beside kind: check, found none']],
  [
    action('{catchUp: each}').replace('{catchUp: each}', 'catchUp: each\n    on: [look]'),
    ['4:14: actions.a.catchUp: expected the trigger change among "on" for catchUp: each, found none'],
  ],
  [
    action('retry: {delay: 1h, max: 1m}'),
    ['4:12: actions.a.retry: expected max to be at least delay (1h), found 1m'],
  ],
  [
    action('retry: {attempts: 1.5}'),
    ['4:23: actions.a.retry.attempts: expected a whole number from 1 to 1000, found the number 1.5'],
  ],
])('%j says what is wrong and where', (text, expected) => {
  expect(problems(text)).toEqual(expected.map((line) => `pullyu.yaml:${line}`));
});

test('an unknown name in after is compared with the known ones', () => {
  expect(problems('actions:\n  java: {run: x}\n  shop: {run: y, after: [jaba]}\n')).toEqual([
    'pullyu.yaml:3:26: actions.shop.after: expected the name of an action of this file, found "jaba"; did you mean "java"?',
  ]);
});

test('a circle is named, once', () => {
  const text =
    'actions:\n  z: {run: x, after: [a]}\n  a: {run: x, after: [b]}\n  b: {run: x, after: [c]}\n  c: {run: x, after: [a]}\n  d: {run: x, after: [d]}\n';
  expect(problems(text)).toEqual([
    'pullyu.yaml:3:15: actions.a.after: expected an order, found a circle: a after b after c after a',
    'pullyu.yaml:6:15: actions.d.after: expected an order, found a circle: d after d',
  ]);
});

test('a long chain is no circle', () => {
  const lines = Array.from(
    { length: 3000 },
    (_, i) => `  a${i}: {run: x${i === 0 ? '' : `, after: [a${i - 1}]`}}`,
  );
  expect(parse(`actions:\n${lines.reverse().join('\n')}\n`)).toHaveLength(3000);
});

test('the file is named as the caller wants', () => {
  expect(() => parseRepoConfig('x: 1', { repo: 'it', file: 'abc1234:pullyu.yaml' })).toThrow(
    'expected a valid abc1234:pullyu.yaml, found 1 problem',
  );
});

test('whatever the text, there is an answer or the one error', () => {
  const word = fc.constantFrom(
    'actions',
    'a',
    'run',
    'on',
    'x.sh',
    ': ',
    ':',
    '\n  ',
    '\n    ',
    '\n',
    '- ',
    '[',
    ']',
    '{',
    '}',
    ', ',
    '&a ',
    '*a',
    '"',
    "'",
    '|',
    '5s',
    '#',
    '\t',
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
});

test('whatever the values, there is an answer or the one error', () => {
  const keys = fc.constantFrom(
    'run',
    'hosts',
    'paths',
    'on',
    'check',
    'env',
    'after',
    'retry',
    'kind',
    'user',
    'constructor',
  );
  const action = fc.dictionary(keys, fc.jsonValue({ maxDepth: 3 }));
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom('a', 'b', 'C'), action), (actions) => {
      problems(JSON.stringify({ actions }));
    }),
    { numRuns: 300 },
  );
});

test('limits are taken as they are written: sizes as in units of systemd, shares, none', () => {
  const limits = (text: string) =>
    parseRepoConfig(`actions:\n  a:\n    run: x.sh\n${text}`, { repo: 'it' })[0]?.limits;
  expect(limits('')).toBeUndefined();
  expect(limits('    limits: {memory: 1G, processes: 500, files: 4096}')).toEqual({
    memory: 2 ** 30,
    processes: 500,
    files: 4096,
  });
  expect(limits('    limits: {memory: 50%, processes: none}')).toEqual({ memory: '50%', processes: null });
});

test.each([
  ['{memory: 1.5G}', 'a size such as 512M or 1 GiB, a share of the machine such as 50%, or none'],
  ['{memory: 101%}', 'a size such as 512M or 1 GiB, a share of the machine such as 50%, or none'],
  ['{processes: 2}', 'a whole number from 10'],
  ['{files: many}', 'a whole number from 16, or none'],
])('limits: %s says what is wrong', (text, expected) => {
  expect(problems(`actions:\n  a:\n    run: x.sh\n    limits: ${text}\n`).join()).toContain(expected);
});

test('a file that only wants to cost time is refused before it is parsed, or looked at', () => {
  const refusal = (text: string) => checkRepoConfig(text, 'it').problems.map(({ message }) => message);
  expect(refusal(`actions: {a: {run: a, paths: [${'x,'.repeat(400_000)}]}}`)).toEqual([
    'expected at most 40000 values, found more',
  ]);
  const many = Array.from({ length: 5_001 }, (_, n) => `  a${n}: {}\n`).join('');
  expect(refusal(`actions:\n${many}`)).toEqual(['expected at most 5000 actions, found 5001']);
});
