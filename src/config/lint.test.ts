import { expect, test } from 'vitest';
import { formatFinding, type LintFile, type LintInput, lintRepo } from './lint.ts';

const SCRIPT = '#!/bin/sh\n';

/** Files by their mode and content; a path that ends in `/**` or is exact is all that these globs need. */
function lint(files: Record<string, [LintFile, string]>, more: Partial<LintInput> = {}): string[] {
  const input: LintInput = {
    repo: 'it',
    files: new Map(Object.entries(files).map(([path, [kind]]) => [path, kind])),
    config: files['pullyu.yaml'] ? Buffer.from(files['pullyu.yaml'][1]) : null,
    hostsConfig: files['hosts.yaml'] ? Buffer.from(files['hosts.yaml'][1]) : null,
    head: (path) => (files[path] ? Buffer.from(files[path][1], 'latin1') : null),
    createMatcher: (glob) => (path) => path === glob || path.startsWith(glob.replace(/\*+$/, '')),
    hosts: null,
    ...more,
  };
  return lintRepo(input).map(
    (finding) => formatFinding(finding) + (finding.hint === null ? '' : ` (${finding.hint})`),
  );
}

const config = (text: string): [LintFile, string] => ['file', text];
const one = (run: string) => config(`actions:\n  a:\n    run: ${run}\n`);

test('there is nothing to say about a good repository', () => {
  expect(lint({ 'pullyu.yaml': one('apps/a.sh'), 'apps/a.sh': ['executable', SCRIPT] })).toEqual([]);
});

test('everything that the parser finds is an error in its place', () => {
  expect(lint({ 'pullyu.yaml': config('actions:\n  a: {runn: x}\nfoo: 1\n') })).toEqual([
    'pullyu.yaml:2:3: error: actions.a: expected the key "run", found none',
    'pullyu.yaml:2:7: error: actions.a: unknown key "runn"; did you mean "run"?',
    'pullyu.yaml:3:1: error: unknown key "foo"; expected one of actions',
  ]);
});

const AT = 'pullyu.yaml:3:10:';

test.each<[string, Record<string, [LintFile, string]>, string]>([
  ['that is missing', {}, `${AT} error: actions.a.run: expected the script apps/a.sh, found no such file`],
  [
    'in other letters',
    { 'apps/A.sh': ['executable', SCRIPT] },
    `${AT} error: actions.a.run: expected apps/a.sh, found apps/A.sh`,
  ],
  [
    'that is a folder',
    { 'apps/a.sh/x': ['file', ''] },
    `${AT} error: actions.a.run: expected a script, found a folder: apps/a.sh`,
  ],
  [
    'that is a submodule',
    { 'apps/a.sh': ['submodule', ''] },
    `${AT} error: actions.a.run: expected a script, found a submodule: apps/a.sh`,
  ],
  [
    'with a byte order mark',
    { 'apps/a.sh': ['executable', `\xef\xbb\xbf${SCRIPT}`] },
    `${AT} error: actions.a.run: apps/a.sh begins with a byte order mark (BOM), so its first line means nothing (save it as UTF-8 without BOM)`,
  ],
  [
    'with CRLF',
    { 'apps/a.sh': ['executable', '#!/bin/sh\r\n'] },
    `${AT} error: actions.a.run: CRLF in the shebang line of apps/a.sh (save it with LF line ends, and put "* text=auto eol=lf" into .gitattributes)`,
  ],
  [
    'without an x-bit',
    { 'apps/a.sh': ['file', SCRIPT] },
    `${AT} warning: actions.a.run: apps/a.sh is not executable (git update-index --chmod=+x apps/a.sh)`,
  ],
  [
    'without a shebang line',
    { 'apps/a.sh': ['executable', 'echo\n'] },
    `${AT} warning: actions.a.run: apps/a.sh has no shebang line: /bin/sh will run it (begin it with a line such as #!/bin/sh)`,
  ],
])('a script %s is found', (_, files, expected) => {
  expect(lint({ 'pullyu.yaml': one('apps/a.sh'), ...files })).toContain(expected);
});

test('a program in machine code needs no shebang line', () => {
  const files = { 'apps/a': ['executable', '\x7fELF\0\0'] as [LintFile, string] };
  expect(lint({ 'pullyu.yaml': one('apps/a'), ...files })).toEqual([]);
});

test('a command line where a path is meant is explained', () => {
  expect(lint({ 'pullyu.yaml': one('bash deploy.sh'), 'deploy.sh': ['file', SCRIPT] })).toEqual([
    `${AT} error: actions.a.run: expected the script bash deploy.sh, found no such file (a command with arguments is a list: [bash, deploy.sh])`,
  ]);
});

test('the first word of a list may be a program of the host', () => {
  expect(lint({ 'pullyu.yaml': one('[make, deploy]') })).toEqual([]);
  expect(lint({ 'pullyu.yaml': one('[/usr/bin/make]') })).toEqual([]);
  expect(lint({ 'pullyu.yaml': one('[bin/make]') })[0]).toContain('expected the script bin/make');
});

test('a glob that matches nothing is a warning', () => {
  const text = 'actions:\n  a:\n    run: a.sh\n    paths: [a.sh, lib/**]\n';
  expect(lint({ 'pullyu.yaml': config(text), 'a.sh': ['executable', SCRIPT] })).toEqual([
    'pullyu.yaml:4:19: warning: actions.a.paths: "lib/**" matches no file',
  ]);
});

test('live hosts that no known host can be, and kind: once beside them, are warnings', () => {
  const text =
    'actions:\n  a:\n    run: a.sh\n    on: [{presence: {part: ap}}, {presence: {}}]\n    kind: once\n';
  const files = { 'pullyu.yaml': config(text), 'a.sh': ['executable', SCRIPT] as [LintFile, string] };
  expect(lint(files, { hosts: [{ part: 'app' }] })).toEqual([
    'pullyu.yaml:4:9: warning: actions.a.on: presence: no known host has part=ap',
    'pullyu.yaml:5:11: warning: actions.a.kind: of each set of live hosts it is started once: when a set comes back, nothing runs (kind: idempotent, for a script that brings the host into line with the live hosts)',
  ]);
});

test('an action that no known host would run is a warning', () => {
  const files = {
    'pullyu.yaml': config('actions:\n  a:\n    run: a.sh\n    hosts: {part: lb}\n'),
    'a.sh': ['executable', SCRIPT] as [LintFile, string],
  };
  expect(lint(files, { hosts: [{ part: 'app' }] })).toEqual([
    'pullyu.yaml:4:12: warning: actions.a.hosts: no known host has part=lb',
  ]);
  expect(lint(files, { hosts: [{ part: 'app' }, { part: 'lb' }] })).toEqual([]);
});

test('scripts of the convention are found, and looked at in the same way', () => {
  expect(
    lint({
      'bin/work/common/work.sh': ['executable', SCRIPT],
      'bin/work/part/app/work.sh': ['executable', '#!/bin/bash\r\n'],
      'bin/work/other.sh': ['file', '\r\n'],
    }),
  ).toEqual([
    'bin/work/part/app/work.sh: error: CRLF in the shebang line of bin/work/part/app/work.sh (save it with LF line ends, and put "* text=auto eol=lf" into .gitattributes)',
    "bin/work/common/work.sh: note: no pullyu.yaml: the convention's layout is used (2 scripts)",
  ]);
});

test('a pullyu.yaml beside scripts of the convention keeps them from being called, and that is said', () => {
  const files = {
    'pullyu.yaml': one('a.sh'),
    'a.sh': ['executable', SCRIPT] as [LintFile, string],
    'bin/work/common/work.sh': ['executable', SCRIPT] as [LintFile, string],
  };
  expect(lint(files)).toEqual([
    'pullyu.yaml: warning: the scripts of the convention (bin/work/common/work.sh) are not called, because there is a pullyu.yaml',
  ]);
});

test('a repository in which no host would find anything is an error', () => {
  expect(lint({ README: ['file', ''] })).toEqual([
    'pullyu.yaml: error: expected this file or scripts of the convention, found neither (write a pullyu.yaml, or a bin/work/common/work.sh)',
  ]);
  expect(lint({ 'pullyu.yml': ['file', ''] })[0]).toContain('(rename pullyu.yml to pullyu.yaml)');
  expect(lint({ 'bin/nodework/common/work.sh': ['executable', SCRIPT] })[0]).toContain(
    'set `convention: nodework`',
  );
});

test('a submodule is a warning: hosts refuse it unless they are told', () => {
  const files = { 'pullyu.yaml': one('a.sh'), 'a.sh': ['executable', SCRIPT] as [LintFile, string] };
  expect(lint({ ...files, vendor: ['submodule', ''] })[0]).toContain('vendor: warning: this is a submodule');
});

test('a hosts.yaml beside it is checked too', () => {
  const good = { 'pullyu.yaml': one('apps/a.sh'), 'apps/a.sh': ['executable', SCRIPT] as [LintFile, string] };
  expect(lint({ ...good, 'hosts.yaml': config('hosts: {web-1: {}}') })).toEqual([]);
  expect(lint({ ...good, 'hosts.yaml': config('hosts: {web-1: {lables: {}}}') })).toEqual([
    'hosts.yaml:1:17: error: hosts.web-1: unknown key "lables"; did you mean "labels"?',
  ]);
  expect(lint({ ...good, 'hosts.yaml': config('hosts: {}') })).toEqual([
    'hosts.yaml: warning: there are no hosts in it: each one that comes is a stranger',
  ]);
  expect(lint(good, { hostsConfig: Buffer.from('hosts: {web-1: {}}') })).toEqual([
    'hosts.yaml: warning: this file is not added to git (git add hosts.yaml)',
  ]);
});
