/** `'{name} {address} {label.part} {fact.port}\n'`: what a template makes of a host of the roster. */
import type { RosterMember } from '../model/presence.ts';

type Piece = string | { readonly field: string };

export interface RosterTemplate {
  readonly pieces: readonly Piece[];
}

export type ParsedTemplate =
  | { readonly ok: true; readonly template: RosterTemplate }
  /** What was expected, what was found. */
  | { readonly ok: false; readonly why: string };

const FIELD = /^(?:name|id|address|addresses|state|label\.[\w.-]+|fact\.[\w.-]+)$/;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', '\\': '\\', '{': '{', '}': '}' };

/** `\n`, `\t`, `\\`, `\{` and `\}` are what they are elsewhere. */
export function parseTemplate(text: string): ParsedTemplate {
  const pieces: Piece[] = [];
  let plain = '';
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at]!;
    if (char === '\\' && at + 1 < text.length) {
      at += 1;
      plain += ESCAPES[text[at]!] ?? `\\${text[at]}`;
    } else if (char === '{') {
      const end = text.indexOf('}', at);
      const field = end === -1 ? '' : text.slice(at + 1, end);
      if (!FIELD.test(field)) return { ok: false, why: describe(text, at, end) };
      pieces.push(plain, { field });
      plain = '';
      at = end;
    } else plain += char;
  }
  const all = [...pieces, plain].filter((piece) => piece !== '');
  if (!all.some((piece) => typeof piece !== 'string'))
    return {
      ok: false,
      why: `expected json, lines or a template with fields, found ${JSON.stringify(text)}`,
    };
  return { ok: true, template: { pieces: all } };
}

function describe(text: string, at: number, end: number): string {
  const found = end === -1 ? text.slice(at) : text.slice(at, end + 1);
  return `expected {name}, {id}, {address}, {addresses}, {state}, {label.KEY} or {fact.KEY}, found ${JSON.stringify(found)}`;
}

/** A label or fact that the host lacks is empty. */
export function formatMember({ pieces }: RosterTemplate, member: RosterMember): string {
  return pieces.map((piece) => (typeof piece === 'string' ? piece : fieldOf(piece.field, member))).join('');
}

function fieldOf(field: string, { name, id, addresses, state, labels, facts }: RosterMember): string {
  if (field.startsWith('label.')) return own(labels, field.slice('label.'.length));
  if (field.startsWith('fact.')) return own(facts, field.slice('fact.'.length));
  switch (field) {
    case 'name':
      return name;
    case 'id':
      return id;
    case 'address':
      return addresses[0] ?? '';
    case 'addresses':
      return addresses.join(',');
    default:
      return state;
  }
}

function own(values: Readonly<Record<string, string>>, key: string): string {
  return Object.hasOwn(values, key) ? values[key]! : '';
}
