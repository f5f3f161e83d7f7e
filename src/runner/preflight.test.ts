import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tempFolder } from '../../tests/support/temp.ts';
import { checkCommand } from './command.ts';
import { DEFAULT_PATH } from './environment.ts';
import { type CommandFacts, type HostFacts, parseShebang, preflight } from './preflight.ts';

const host: HostFacts = {
  isProgram: (path) => ['/bin/sh', '/usr/bin/env', '/usr/bin/python3', 'tools/mine'].includes(path),
  findProgram: (name) => (name === 'node' ? '/usr/bin/node' : null),
};

function decide(head: string | Buffer, more: Partial<CommandFacts> & { name?: string } = {}) {
  const { name = 'run', ...facts } = more;
  const bytes = typeof head === 'string' ? Buffer.from(head) : head;
  const answer = preflight(
    [name, '-x'],
    { path: `/tree/${name}`, kind: 'file', executable: true, head: bytes, ...facts },
    host,
  );
  return answer.ok ? answer.argv.join(' ') : answer.note;
}

test.each<[string, string, string | Buffer, Partial<CommandFacts> & { name?: string }]>([
  ['an executable with a shebang is executed', '/tree/run -x', '#!/bin/sh\necho', {}],
  ['also with spaces and an argument', '/tree/run -x', '#! /usr/bin/python3 -u\n', {}],
  ['also when the file is that line alone', '/tree/run -x', '#!/bin/sh', {}],
  ['a binary is executed', '/tree/run -x', Buffer.from('\x7fELF\x02\x01\0\0', 'latin1'), {}],
  ['another binary is left to the kernel', '/tree/run -x', Buffer.from('PK\x03\x04\0', 'latin1'), {}],
  ['a text without shebang is given to sh', '/bin/sh /tree/run -x', 'echo hi\n', {}],
  [
    'without the bit its interpreter is called',
    '/usr/bin/python3 /tree/run -x',
    '#!/usr/bin/python3\n',
    { executable: false },
  ],
  [
    'with the one argument that Linux would give',
    '/usr/bin/env -S node --x /tree/run -x',
    '#!/usr/bin/env -S node --x\n',
    { executable: false },
  ],
  [
    'without bit and shebang a name in .sh is enough',
    '/bin/sh /tree/work.sh -x',
    'echo\n',
    { executable: false, name: 'work.sh' },
  ],
  [
    'an empty work.sh is one that does nothing',
    '/bin/sh /tree/work.sh -x',
    '',
    { executable: false, name: 'work.sh' },
  ],
  ['an interpreter may lie in the tree', '/tree/run -x', '#!tools/mine\n', {}],
  ['an interpreter may be found by env', '/tree/run -x', '#!/usr/bin/env node\n', {}],
  ['env with variables', '/tree/run -x', '#!/usr/bin/env -S A=1 B=2 node\n', {}],
])('%s', (_, argv, head, facts) => expect(decide(head, facts)).toBe(argv));

test.each<[string, RegExp, string | Buffer, Partial<CommandFacts> & { name?: string }]>([
  ['CRLF', /^CRLF in the shebang line of run: .*gitattributes$/, '#!/bin/sh\r\necho\r\n', {}],
  ['CRLF after an argument', /^CRLF in the shebang line of run/, '#!/usr/bin/env python3\r\n', {}],
  ['a byte order mark', /begins with a byte order mark/, '\ufeff#!/bin/sh\n', {}],
  [
    'a missing interpreter',
    /^the interpreter of run is not on this host: \/opt\/ruby$/,
    '#!/opt/ruby -w\n',
    {},
  ],
  [
    'an interpreter that env will not find',
    /perl \(looked for by \/usr\/bin\/env on the PATH\)/,
    '#!/usr/bin/env perl\n',
    {},
  ],
  [
    'neither bit nor shebang nor name',
    /not executable.*git update-index --chmod=\+x run$/,
    'echo',
    { executable: false },
  ],
  [
    'a binary named .sh without the bit',
    /not executable/,
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0]),
    { executable: false, name: 'a.sh' },
  ],
  ['a folder', /found a folder: run/, '', { kind: 'folder' }],
  ['a pipe', /found a device, pipe or socket: run/, '', { kind: 'other' }],
])('refuses %s', (_, note, head, facts) => expect(decide(head, facts)).toMatch(note));

test('refuses what is not there, and says where it was looked for', () => {
  expect(preflight(['apps/run'], null, host)).toEqual({
    ok: false,
    note: 'expected the script apps/run in the tree, found nothing there',
  });
  expect(preflight(['foo'], null, host)).toMatchObject({
    note: 'expected foo as a file in the tree or a program on the PATH, found neither',
  });
});

test('any first bytes give an answer', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), (bytes, executable) => {
      const head = Buffer.concat([Buffer.from('#!'), bytes]);
      expect(typeof decide(head, { executable })).toBe('string');
      expect(parseShebang(head)?.interpreter ?? 'none').not.toMatch(/[ \t\r\n\0]/);
    }),
  );
});

test('a file of the tree comes before a program of the same name, and nothing outside the tree is a path in it', () => {
  using folder = tempFolder();
  const tree = folder.path;
  mkdirSync(join(tree, 'env'));
  writeFileSync(join(tree, 'true'), '#!/bin/sh\n', { mode: 0o755 });
  symlinkSync('true', join(tree, 'link'));
  const check = (...argv: string[]) => checkCommand(argv, tree, DEFAULT_PATH);
  expect(check('true')).toEqual({ ok: true, argv: [join(tree, 'true')] });
  expect(check('./true')).toEqual({ ok: true, argv: [join(tree, 'true')] });
  expect(check('link', 'a')).toEqual({ ok: true, argv: [join(tree, 'link'), 'a'] });
  expect(check('false')).toMatchObject({ ok: true, argv: [expect.stringMatching(/^\/(usr\/)?bin\/false$/)] });
  expect(check('/bin/sh', '-c', 'x')).toEqual({ ok: true, argv: ['/bin/sh', '-c', 'x'] });
  expect(check('env')).toMatchObject({ note: 'expected a script, found a folder: env' });
  expect(check('../elsewhere')).toMatchObject({
    note: 'expected a path inside the tree, found ../elsewhere',
  });
  expect(check('apps/missing.sh')).toMatchObject({ ok: false });
  expect(check('/no/such')).toMatchObject({ ok: false });
  expect(check('')).toMatchObject({ ok: false });
});
