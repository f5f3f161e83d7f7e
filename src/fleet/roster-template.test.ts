import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { HostId } from '../model/ids.ts';
import type { RosterMember } from '../model/presence.ts';
import { formatMember, parseTemplate } from './roster-template.ts';

const member: RosterMember = {
  name: 'web-1',
  id: 'abcdefghijklmnopqrstuvwxyz' as HostId,
  labels: { part: 'app' },
  addresses: ['10.0.0.1', 'fd00::1'],
  state: 'working',
  facts: { port: '8080' },
  lastContactAt: 0,
};

function make(text: string, of: RosterMember = member): string {
  const parsed = parseTemplate(text);
  return parsed.ok ? formatMember(parsed.template, of) : parsed.why;
}

test.each([
  ['{name} {address} {label.part} {fact.port}', 'web-1 10.0.0.1 app 8080'],
  ['  server {name} {address}:{fact.port} check\\n', '  server web-1 10.0.0.1:8080 check\n'],
  ['{addresses}\\t{state}', '10.0.0.1,fd00::1\tworking'],
  ['\\{{id}\\}', '{abcdefghijklmnopqrstuvwxyz}'],
  ['{name}[{label.zone}{fact.toString}]', 'web-1[]'],
  ['{name}\\q\\', 'web-1\\q\\'],
])('%s becomes %s', (text, expected) => {
  expect(make(text)).toBe(expected);
});

test('a host without an address has an empty one', () => {
  expect(make('{name}={address}', { ...member, addresses: [] })).toBe('web-1=');
});

test.each([
  ['{nmae}', 'found "{nmae}"'],
  ['{name', 'found "{name"'],
  ['jsno', 'found "jsno"'],
  ['', 'found ""'],
  ['{label.}', 'found "{label.}"'],
])('%s is refused', (text, why) => {
  expect(make(text)).toContain(why);
});

test('any text is a template or is refused', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('{', '}', '\\', 'n', 'name', 'label.part', ' ') }),
      (text) => {
        expect(typeof make(text)).toBe('string');
      },
    ),
  );
});
