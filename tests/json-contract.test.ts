/** docs/json.md against what bin/pullyu prints: every documented field is there, nothing else is, and each has its type. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CATALOGUE } from '../src/errors.ts';
import { startChild } from './support/child.ts';
import { createHost, program, runProgram, type TestHost } from './support/host.ts';
import { codesIn, readPage, rowsOf, sectionOf } from './support/markdown.ts';
import { createRemote, type Remote } from './support/repo.ts';
import { until } from './support/until.ts';

const page = readPage('json.md');

type Types = ReadonlyMap<string, string>;

/** Field to type, of a section's tables. */
function fieldsOf(heading: string): Types {
  return new Map(
    rowsOf(sectionOf(page, heading), 'field').map(([field, type]) => [codesIn(field!)[0]!, type!]),
  );
}

const RUN = fieldsOf('history');
const EVENTS = new Map(
  rowsOf(sectionOf(page, 'Events'), 'type').map(([type, fields]) => [
    codesIn(type!)[0]!,
    eventFields(fields!),
  ]),
);

/** "`repo` text, `from` commit or null". */
function eventFields(cell: string): Types {
  const pieces = cell === '' ? [] : cell.split(', ');
  return new Map([
    ['type', 'text'],
    ...pieces.map((piece) => [codesIn(piece)[0]!, piece.replace(/^`[^`]+` /, '')] as const),
  ]);
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/** Problems of a value at a documented field; none when it is as documented. */
function misfits(value: unknown, path: string, types: Types): string[] {
  const type = types.get(path);
  if (type === undefined) return [`${path} is not documented`];
  if (value === null) return / or null$/.test(type) ? [] : [`${path} is null, documented as ${type}`];
  const plain = type.replace(/ or null$/, '');
  const wrong = [`${path} is ${JSON.stringify(value)?.slice(0, 100)}, documented as ${type}`];
  const words = plain.startsWith('one of ') ? codesIn(plain) : null;
  if (words !== null) return words.includes(value as string) ? [] : wrong;
  switch (plain) {
    case 'text':
      return typeof value === 'string' ? [] : wrong;
    case 'number':
      return Number.isInteger(value) ? [] : wrong;
    case 'flag':
      return typeof value === 'boolean' ? [] : wrong;
    case 'time':
      return typeof value === 'string' && TIME.test(value) ? [] : wrong;
    case 'commit':
      return typeof value === 'string' && COMMIT.test(value) ? [] : wrong;
    case 'map':
      return isObject(value) && Object.values(value).every((one) => typeof one === 'string') ? [] : wrong;
    case 'run':
      return isObject(value) ? misfitsOfObject(value, '', RUN).map((one) => `${path}: ${one}`) : wrong;
    case 'event':
      return isObject(value) ? misfitsOfEvent(value) : wrong;
    case 'list':
      return Array.isArray(value) ? value.flatMap((one) => misfitsOfElement(one, `${path}[]`, types)) : wrong;
    case 'object':
      return isObject(value) ? misfitsOfObject(value, `${path}.`, types) : wrong;
    default:
      return [`${path} is documented with the type "${type}", which is none`];
  }
}

function misfitsOfElement(value: unknown, path: string, types: Types): string[] {
  return isObject(value) && !types.has(path)
    ? misfitsOfObject(value, `${path}.`, types)
    : misfits(value, path, types);
}

/** Every documented field is there, and no other. */
function misfitsOfObject(value: Record<string, unknown>, prefix: string, types: Types): string[] {
  const names = [...types.keys()]
    .filter((field) => field.startsWith(prefix))
    .map((field) => field.slice(prefix.length))
    .filter((name) => !/[.[]/.test(name));
  const missing = names
    .filter((name) => !Object.hasOwn(value, name))
    .map((name) => `${prefix}${name} is missing`);
  return [
    ...missing,
    ...Object.entries(value).flatMap(([name, one]) => misfits(one, `${prefix}${name}`, types)),
  ];
}

const TROUBLE = new Map([
  ...[...fieldsOf('status')].flatMap(([field, type]) =>
    field.startsWith('repos[].trouble.') ? [[field.slice(16), type] as const] : [],
  ),
  ['retryAfterMs', 'number or null'],
]);

function misfitsOfEvent(value: Record<string, unknown>): string[] {
  const types = EVENTS.get(value.type as string);
  if (types === undefined) return [`the event ${String(value.type)} is not documented`];
  const { trouble, ...rest } = value;
  const inner = isObject(trouble) ? misfitsOfObject(trouble, '', TROUBLE) : [];
  const outer = misfitsOfObject(trouble === undefined ? rest : { ...rest, trouble: {} }, '', types);
  return [...outer.filter((one) => !/^repos is|\[\] is not documented/.test(one)), ...inner].map(
    (one) => `${String(value.type)}: ${one}`,
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Fields that no sample showed with a value other than null or an empty list. */
function unseen(samples: readonly unknown[], types: Types): string[] {
  const seen = new Set<string>();
  const visit = (value: unknown, path: string) => {
    if (value === null || value === undefined) return;
    seen.add(path);
    if (types.get(path)?.startsWith('run') || types.get(path) === 'map' || types.get(path) === 'event')
      return;
    if (Array.isArray(value)) for (const one of value) visit(one, `${path}[]`);
    else if (isObject(value))
      for (const [name, one] of Object.entries(value)) visit(one, path === '' ? name : `${path}.${name}`);
  };
  for (const sample of samples) visit(sample, '');
  return [...types.keys()].filter((field) => !seen.has(field));
}

const YAML = `actions:
  good: {run: good.sh, hosts: {part: app}}
  bad: {run: bad.sh, retry: {delay: 1h, max: 1h}}
  after-bad: {run: good.sh, after: [bad]}
  later: {run: good.sh, on: [{schedule: "17 3 1 1 *"}]}
  elsewhere: {run: good.sh, hosts: {part: lb}}
  watch: {run: good.sh, on: [look]}
  human: {run: human.sh}
  refused: {run: nothing-there.sh, retry: {delay: 1h, max: 1h}}
`;

describe('one host in every state', () => {
  let remote: Remote;
  let host: TestHost;
  const samples: unknown[] = [];
  const events: unknown[] = [];
  const requests: unknown[] = [];
  const answers = rowsOf(sectionOf(page, 'look'), 'exit code').map(([code]) => Number(code));
  const produced = new Set<number>();

  const look = async (): Promise<number | null> => {
    const ran = await host.run(['look', '--json']);
    if (ran.code !== null) produced.add(ran.code);
    if (ran.stdout !== '') {
      const answer = ran.json<{ exitCode: number; events: unknown[] }>();
      expect(misfitsOfObject(answer, '', fieldsOf('look'))).toEqual([]);
      expect(answer.exitCode).toBe(ran.code);
      events.push(...answer.events);
    }
    return ran.code;
  };

  /** Checked at once, kept for the question which fields were ever seen. */
  const sample = async () => {
    const status = (await host.run(['status', '--json'])).json<Record<string, unknown>>();
    expect(misfitsOfObject(status, '', fieldsOf('status'))).toEqual([]);
    samples.push(status);
    return status as unknown as Awaited<ReturnType<TestHost['status']>>;
  };

  beforeAll(async () => {
    remote = await createRemote();
    host = createHost({ labels: { part: 'app' }, interval: '1s', repos: { it: remote.url } });
  });

  afterAll(async () => {
    await host?.close();
    remote?.[Symbol.dispose]();
  });

  test('status, history, plan and why have the documented fields', async () => {
    await remote.publish({
      files: { 'pullyu.yaml': 'actions: {good: {run: good.sh}}\n' },
      scripts: { 'good.sh': '#!/bin/sh\n' },
    });
    expect(await look()).toBe(0);
    await sample();
    await remote.publish({
      files: { 'pullyu.yaml': YAML },
      scripts: { 'bad.sh': '#!/bin/sh\necho no\nexit 3\n', 'human.sh': '#!/bin/sh\nexit 78\n' },
    });
    expect(await look()).toBe(1);
    const status = await sample();
    expect(status.host.state).toBe('wedged');
    const history = (await host.run(['history', '--json'])).json<Record<string, unknown>[]>();
    expect(history.length).toBeGreaterThan(3);
    expect(history.flatMap((run) => misfitsOfObject(run, '', RUN))).toEqual([]);
    const plan = (await host.run(['plan', '--json'])).json<Record<string, unknown>>();
    expect(misfitsOfObject(plan, '', fieldsOf('plan'))).toEqual([]);
    const ofTree = await host.run(['plan', '--json', '--tree', remote.work]);
    expect(misfitsOfObject(ofTree.json<Record<string, unknown>>(), '', fieldsOf('plan'))).toEqual([]);
    const why = (await host.run(['why', 'bad', '--json'])).json<Record<string, unknown>>();
    expect(misfitsOfObject(why, '', fieldsOf('why'))).toEqual([]);
    const done = await host.run(['done', 'human', '--note', 'it was', '--json']);
    expect(done.code, done.stderr).toBe(0);
    requests.push(done.json());
  });

  test('look ends with each documented exit code', async () => {
    // 4: history was rewritten.
    await remote.forcePush('HEAD~1');
    await remote.publish({ files: { other: 'x' } });
    expect(await look()).toBe(4);
    await sample();
    const { seen } = (await host.status()).repos[0]!;
    const accepted = await host.run(['accept', seen!.slice(0, 7), '--json']);
    expect(accepted.code, accepted.stderr).toBe(0);
    requests.push(accepted.json());
    expect(await look()).toBe(0);

    // 2: pullyu.yaml is broken.
    await remote.publish({ files: { 'pullyu.yaml': 'actions: {good: {runs: good.sh}}\n' } });
    expect(await look()).toBe(2);
    await sample();
    await remote.publish({
      files: { 'pullyu.yaml': 'actions: {good: {run: good.sh}, slow: {run: slow.sh}}\n' },
      scripts: { 'slow.sh': SLOW },
    });

    // 5: another look is at work.
    const running = startChild([program, '--root', host.root, 'look'], { env: host.env });
    await until(async () => (await sample()).host.state === 'busy', { what: 'the slow action to run' });
    expect(await look()).toBe(5);
    writeFileSync(join(host.state, 'repos/it/state/slow/go'), '');
    await running.ended;

    // 3: nobody answers.
    host.configure({ repos: { it: 'file:///nowhere/at/all.git' } });
    expect(await look()).toBe(3);
    await sample();
    host.configure({});
    expect(await look()).toBe(0);
    expect([...produced].sort()).toEqual(answers.sort());
  });

  test('a pause, an agent and healed files are shown', async () => {
    const valid = readFileSync(host.hostFile, 'utf8');
    writeFileSync(host.hostFile, `${valid}unknown: key\n`);
    await sample();
    writeFileSync(host.hostFile, valid);
    requests.push((await host.run(['resume', '--json'])).json());
    requests.push((await host.run(['pause', '--for', '1h', '--reason', 'a test', '--json'])).json());
    await sample();
    requests.push((await host.run(['resume', '--json'])).json());
    const tree = join(host.state, 'repos/it/current');
    writeFileSync(join(tree, 'good.sh'), 'edited\n');
    requests.push((await host.run(['redo', 'good', '--json'])).json());
    expect(await look()).toBe(0);
    await sample();
    await host.start();
    await until(
      async () =>
        (await sample()).agent.pid !== null &&
        samples.some((one) => (one as { agent: { nextLookAt: unknown } }).agent.nextLookAt),
      {
        what: 'the daemon to say when it looks next',
      },
    );
    const answer = (await host.run(['look', '--json'])).json<{ idle: unknown; events: unknown[] }>();
    expect(answer).toMatchObject({ idle: null, events: [] });
  });

  test('a program that does not work is shown', async () => {
    mkdirSync(join(host.state, 'proven'));
    writeFileSync(join(host.state, 'proven/identity'), '1 2 3\n');
    writeFileSync(join(host.state, 'trial'), '3 1700000000 4 5 6\n');
    expect((await sample()).agent).toMatchObject({
      fallback: { since: '2023-11-14T22:13:20.000Z', nextTrialAt: '2023-11-14T23:13:20.000Z' },
    });
    for (const name of ['proven', 'trial']) rmSync(join(host.state, name), { recursive: true });
  });

  test('where a host publishes, and that nothing arrives there, is shown', async () => {
    const before = readFileSync(host.hostFile, 'utf8');
    writeFileSync(host.hostFile, `${before}status: {remote: ${join(host.root, 'nowhere.git')}}\n`);
    await host.look();
    expect((await sample()).published).toMatchObject([{ store: 'git', deliveredAt: null }]);
    // As it is when another machine took the name later.
    const file = join(host.state, 'status/delivery-git.json');
    const delivery = JSON.parse(readFileSync(file, 'utf8'));
    const trouble = { ...delivery.trouble, code: 'identity-conflict', hint: 'another name' };
    writeFileSync(
      file,
      JSON.stringify({ ...delivery, deliveredAt: 1, conflict: 'another machine', trouble }),
    );
    expect((await sample()).published).toMatchObject([{ conflict: 'another machine' }]);
    writeFileSync(host.hostFile, before);
  });

  test('what was asked of the agent has the documented fields', () => {
    const types = fieldsOf('requests');
    expect(requests.map((one) => (one as { request: string }).request).sort()).toEqual([
      'accept',
      'done',
      'pause',
      'redo',
      'resume',
      'resume',
    ]);
    expect(requests.flatMap((one) => misfitsOfObject(one as Record<string, unknown>, '', types))).toEqual([]);
    expect(unseen(requests, types)).toEqual([]);
  });

  test('no field of status is documented that cannot be seen', () => {
    expect(unseen(samples, fieldsOf('status'))).toEqual([]);
  });

  test('events have the documented fields', () => {
    expect(events.length).toBeGreaterThan(10);
    expect(events.flatMap((event) => misfitsOfEvent(event as Record<string, unknown>))).toEqual([]);
  });

  test('logs, run and detect have the documented fields', async () => {
    const logs = (await host.run(['logs', 'good', '--json'])).json<Record<string, unknown>>();
    expect(misfitsOfObject(logs, '', fieldsOf('logs'))).toEqual([]);
    expect(unseen([logs], fieldsOf('logs'))).toEqual([]);
    const followed = await host.run(['logs', 'good', '--follow', '--json']);
    for (const line of followed.stdout.trimEnd().split('\n'))
      expect(misfitsOfObject(JSON.parse(line), '', fieldsOf('logs'))).toEqual([]);

    const runs: Record<string, unknown>[] = [];
    for (const args of [['--as-agent'], [], ['--tree', remote.work]]) {
      const ran = await host.run(['run', 'good', '--json', ...args]);
      expect(ran.code, ran.stderr).toBe(0);
      runs.push(ran.json());
    }
    expect(runs.map((one) => one.recorded)).toEqual([true, false, false]);
    expect(runs.flatMap((one) => misfitsOfObject(one, '', fieldsOf('run')))).toEqual([]);
    expect(unseen(runs, fieldsOf('run'))).toEqual(['note']);

    const here = { cwd: remote.work };
    const detected = await host.run(['detect', 'path', 'good.sh', 'nowhere', '--json'], here);
    const last = await host.run(['detect', 'last-action', '--json'], here);
    const fetched = await host.run(['detect', 'fetch', '--branch', 'main', '--json'], here);
    const found = [detected, last, fetched].map((one) => one.json<Record<string, unknown>>());
    expect(found.flatMap((one) => misfitsOfObject(one, '', fieldsOf('detect')))).toEqual([]);
    expect(unseen(found, fieldsOf('detect'))).toEqual([]);
    expect(found.map((one) => one.commit)).toEqual([await remote.head(), await remote.head(), null]);
  });

  test('try has the documented fields', async () => {
    const types = fieldsOf('try');
    const none = (await host.run(['try', 'status', '--json'])).json<Record<string, unknown>>();
    const begun = (await host.run(['try', '--json'])).json<Record<string, unknown>>();
    const path = String(begun.path);
    expect(Object.keys(begun)).toEqual(['repo', 'path', 'branch', 'follows', 'base']);
    expect(Object.entries(begun).flatMap(([name, one]) => misfits(one, `tries[].${name}`, types))).toEqual(
      [],
    );
    writeFileSync(join(path, 'good.sh'), '#!/bin/sh\nexit 1\n');
    const tried = (await host.run(['try', 'run', 'good', '--json'])).json<Record<string, unknown>>();
    expect(misfitsOfObject(tried, '', fieldsOf('run'))).toEqual([]);
    const open = (await host.run(['try', 'status', '--json'])).json<Record<string, unknown>>();
    for (const status of [none, open]) expect(misfitsOfObject(status, '', types)).toEqual([]);
    expect(unseen([open], types)).toEqual([]);
    const pushed = await host.run(['try', 'push', '-m', 'x', '--branch', 'review', '--force', '--json']);
    expect(pushed.json()).toEqual({
      branch: 'review',
      commit: expect.stringMatching(COMMIT),
      rebased: null,
      notHere: [],
    });
    const ended = await host.run(['try', 'end', '--force', '--json']);
    expect(ended.json()).toEqual({ branch: begun.branch, redo: ['good'] });
    await remote.publish({ files: { something: 'else' } });
    const args = ['rollback', '--to', await remote.head('HEAD~1'), '--dry-run', '--json'];
    const back = (await host.run(args)).json<Record<string, unknown>>();
    expect(misfitsOfObject(back, '', fieldsOf('rollback'))).toEqual([]);
    expect(unseen([back], fieldsOf('rollback')).filter((one) => one !== 'steps[].notBefore')).toEqual([
      'pushed',
    ]);
  });

  test('lint has the documented fields', async () => {
    const text = 'actions: {good: {run: good.sh}, lost: {run: nowhere.sh, path: x}}\n';
    writeFileSync(join(remote.work, 'pullyu.yaml'), text);
    const broken = (await host.run(['lint', remote.work, '--json'])).json<Record<string, unknown>>();
    writeFileSync(join(remote.work, 'pullyu.yaml'), text.replace(', path: x', ''));
    const missing = (await host.run(['lint', remote.work, '--json'])).json<Record<string, unknown>>();
    using other = await createRemote();
    await other.commit({ files: { README: 'nothing to do\n' } });
    const empty = (await host.run(['lint', other.work, '--json'])).json<Record<string, unknown>>();
    for (const found of [broken, missing, empty])
      expect(misfitsOfObject(found, '', fieldsOf('lint'))).toEqual([]);
    expect(unseen([broken, missing, empty], fieldsOf('lint'))).toEqual([]);
  });

  test('doctor, install, uninstall and cloud-init have the documented fields', async () => {
    const doctor = (await host.run(['doctor', '--json'])).json<Record<string, unknown>>();
    expect(misfitsOfObject(doctor, '', fieldsOf('doctor'))).toEqual([]);
    expect(unseen([doctor], fieldsOf('doctor'))).toEqual([]);
    const install = (await host.run(['install', '--heartbeat', 'cron', '--json'])).json<
      Record<string, unknown>
    >();
    const uninstall = (await host.run(['uninstall', '--json'])).json<Record<string, unknown>>();
    for (const report of [install, uninstall])
      expect(misfitsOfObject(report, '', fieldsOf('install'))).toEqual([]);
    expect(unseen([install], fieldsOf('install'))).toEqual([]);
    const data = (await host.run(['cloud-init', 'https://git.example.com/it.git', '--json'])).json<
      Record<string, unknown>
    >();
    expect(misfitsOfObject(data, '', fieldsOf('cloud-init'))).toEqual([]);
  });
});

describe('a fleet', () => {
  let it: Remote;
  let status: Remote;
  const hosts: TestHost[] = [];
  const person = (...args: string[]) =>
    runProgram([...args, '--status', status.url], {
      env: { PATH: process.env.PATH!, HOME: it.folder, PULLYU_ROOT: join(it.folder, 'nothing') },
      cwd: it.work,
    });
  const lines = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  beforeAll(async () => {
    it = await createRemote();
    status = await createRemote('status');
    const yaml = 'actions: {good: {run: good.sh, retry: {delay: 1h, max: 1h}}}\n';
    await it.publish({ files: { 'pullyu.yaml': yaml }, scripts: { 'good.sh': '#!/bin/sh\n' } });
    for (const name of ['web-1', 'web-2']) {
      const facts = join(it.folder, 'facts.sh');
      writeFileSync(facts, '#!/bin/sh\necho port=8080\n', { mode: 0o755 });
      const more = { status: { remote: status.url, facts } };
      hosts.push(createHost({ name, labels: { part: 'app' }, repos: { it: it.url }, more }));
    }
    await hosts[0]!.look();
    await it.publish({ scripts: { 'good.sh': '#!/bin/sh\necho no\nexit 1\n' } });
    for (const host of hosts) await host.look();
    // A trouble, too: what hosts follow is gone for one of them.
    hosts[0]!.configure({ repos: { it: 'file:///nowhere/at/all.git' } });
    await hosts[0]!.look();
  });

  afterAll(async () => {
    for (const host of hosts) await host.close();
    for (const remote of [it, status]) remote?.[Symbol.dispose]();
  });

  test('fleet, of all and of one host, has the documented fields', async () => {
    const all = (await person('fleet', '--json')).json<Record<string, unknown>>();
    const expected = (await person('fleet', '--expect', 'HEAD', '--json')).json<Record<string, unknown>>();
    const there = (await person('fleet', '--expect', 'HEAD~1', '--json')).json<Record<string, unknown>>();
    const types = fieldsOf('fleet');
    expect([all, expected, there].flatMap((one) => misfitsOfObject(one, '', types))).toEqual([]);
    const never = ['expect.waiting[]', 'expect.silent[]'];
    expect(unseen([all, expected, there], types).filter((field) => !never.includes(field))).toEqual([]);
    const one = (await person('fleet', 'web-1', '--json')).json<Record<string, unknown>>();
    expect(misfitsOfObject(one, '', fieldsOf('fleet of one host'))).toEqual([]);
    expect(unseen([one], fieldsOf('fleet of one host'))).toEqual([]);
  });

  test('watch and roster have the documented fields', async () => {
    const commit = await person('watch', 'HEAD', '--json', '--timeout', '100ms');
    expect(lines(commit.stdout).flatMap((one) => misfitsOfObject(one, '', fieldsOf('watch')))).toEqual([]);
    expect(lines(commit.stdout).map(({ type, verdict }) => [type, verdict])).toEqual([
      ['progress', null],
      ['end', 'failed'],
    ]);
    const live = await person('watch', '--json', '--timeout', '100ms');
    const types = fieldsOf('watch of the fleet');
    expect(lines(live.stdout).flatMap((one) => misfitsOfObject(one, '', types))).toEqual([]);
    const roster = (await person('roster', '--json')).json<Record<string, unknown>[]>();
    expect(roster.map(({ name }) => name)).toEqual(['web-1', 'web-2']);
    expect(roster.flatMap((one) => misfitsOfObject(one, '', fieldsOf('roster')))).toEqual([]);
  });
});

/** Runs until somebody makes a file; never longer than its deadline. */
const SLOW = `#!/bin/sh
until [ -e "$PULLYU_STATE_DIR/go" ]; do sleep 0.05; done
`;

test('every event is documented, and none is invented', () => {
  const source = readFileSync(new URL('../src/model/event.ts', import.meta.url), 'utf8');
  const types = [...source.matchAll(/readonly type: '([a-z-]+)'/g)].map((match) => match[1]!);
  expect([...EVENTS.keys()].sort()).toEqual(types.sort());
});

test('every reason is documented, and none is invented', () => {
  const source = (file: string, type: string) =>
    new RegExp(`export type ${type} =([\\s\\S]*?');`).exec(
      readFileSync(new URL(`../src/model/${file}`, import.meta.url), 'utf8'),
    )![1]!;
  const reasons = [source('run.ts', 'RunReason'), source('plan.ts', 'RestReason')].flatMap((text) =>
    [...text.matchAll(/\| '([a-z-]+)'/g)].map((match) => match[1]!),
  );
  expect(rowsOf(sectionOf(page, 'Reasons'), 'reason').map(([reason]) => codesIn(reason!)[0]!)).toEqual(
    reasons,
  );
});

test('bootstrap has the documented fields', async () => {
  using remote = await createRemote();
  await remote.publish({ files: { 'pullyu.yaml': YAML }, scripts: { 'good.sh': '#!/bin/sh\n' } });
  await using host = createHost();
  const nodeinfo = join(host.root, 'nowhere');
  const args = [remote.url, '--label', 'part=web', '--nodeinfo', nodeinfo, '--heartbeat', 'cron'];
  const ran = await host.run(['bootstrap', ...args, '--json']);
  const types = fieldsOf('bootstrap');
  expect(misfitsOfObject(ran.json<Record<string, unknown>>(), '', types)).toEqual([]);
  expect(unseen([ran.json()], types)).toEqual([]);
});

test('notify test has the documented fields', async () => {
  await using host = createHost({ repos: { it: '/srv/it.git' } });
  const channels = [{ script: '/bin/true' }, { script: '/bin/false', level: 'chatty' }];
  const notify = { from: { part: 'control' }, channels };
  host.configure({ more: { status: { remote: '/srv/status.git' }, notify } });
  const tested = await host.run(['notify', 'test', '--json']);
  const types = fieldsOf('notify');
  expect(tested.code).toBe(1);
  expect(misfitsOfObject(tested.json<Record<string, unknown>>(), '', types)).toEqual([]);
  expect(unseen([tested.json()], types)).toEqual([]);
});

test('with an error nothing is on standard output', async () => {
  await using host = createHost();
  const ran = await runProgram(['--root', host.root, 'status', '--json'], { env: { ...host.env } });
  expect(ran).toMatchObject({ code: CATALOGUE['not-bootstrapped'].exit, stdout: '' });
  expect(ran.stderr).toMatch(/^error: .*\nhint: /);
});
