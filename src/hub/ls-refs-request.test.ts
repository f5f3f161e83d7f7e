import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatLsRefs } from '../git/ls-refs.ts';
import { formatPacket } from '../git/pkt-line.ts';
import { parseLsRefsRequest } from './ls-refs-request.ts';

test('what git sends is read', () => {
  const body = [
    formatPacket('command=ls-refs\n'),
    formatPacket('agent=git/2.39.5'),
    formatPacket('object-format=sha1'),
    '0001',
    formatPacket('peel\n'),
    formatPacket('symrefs\n'),
    formatPacket('unborn\n'),
    formatPacket('ref-prefix refs/heads/\n'),
    '0000',
  ].join('');
  expect(parseLsRefsRequest(Buffer.from(body))).toEqual({
    peel: true,
    symrefs: true,
    unborn: true,
    prefixes: ['refs/heads/'],
    objectFormat: 'sha1',
  });
});

test('what our own probe sends is read', () => {
  const name = fc.string({ unit: fc.constantFrom('a', '/', '.', 'é', ' '), minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(fc.array(name), fc.boolean(), fc.boolean(), (prefixes, peel, symrefs) => {
      const body = Buffer.from(formatLsRefs({ prefixes, peel, symrefs, objectFormat: null }));
      expect(parseLsRefsRequest(body)).toEqual({
        peel,
        symrefs,
        unborn: false,
        prefixes: prefixes.map((one) => Buffer.from(one).toString('latin1')),
        objectFormat: null,
      });
    }),
  );
});

const LS_REFS = formatPacket('command=ls-refs\n');
test.each([
  ['another command', `${formatPacket('command=fetch\n')}0000`],
  ['two commands', `${LS_REFS}${LS_REFS}0000`],
  ['a capability that we do not know', `${LS_REFS}${formatPacket('session-id=1\n')}0000`],
  ['an argument that we do not know', `${LS_REFS}0001${formatPacket('peel-twice\n')}0000`],
  ['a second delimiter', `${LS_REFS}000100010000`],
  ['no flush', LS_REFS],
  ['something behind the flush', `${LS_REFS}0000${LS_REFS}`],
  ['a mark of stateless clients', `${LS_REFS}00010002`],
  ['half a packet', LS_REFS.slice(0, -3)],
  ['nothing', ''],
  ['no packets', 'GET / HTTP/1.1'],
])('%s is left to git', (_, body) => {
  expect(parseLsRefsRequest(Buffer.from(body))).toBeNull();
});

test('no bytes make it fail', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      parseLsRefsRequest(Buffer.from(bytes));
    }),
  );
});
