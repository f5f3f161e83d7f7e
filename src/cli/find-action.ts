/** Which action an operator means by `NAME` or `REPO/NAME`. */
import { nearest } from '../config/nearest.ts';
import { PullyuError } from '../errors.ts';

export interface NamedAction {
  readonly repo: string;
  readonly name: string;
}

export interface FindOptions {
  /** What `known` are. Default `an action of this host`. */
  readonly expected?: string;
  /** Those that ran here, maybe at a commit that had them. */
  readonly ran?: readonly NamedAction[];
}

/** @throws PullyuError `unknown-action` with the nearest name or some names, or when two repos have it. */
export function findAction<T extends NamedAction>(text: string, known: readonly T[], o: FindOptions = {}): T {
  const { expected = 'an action of this host', ran = [] } = o;
  const isMeant = (action: NamedAction) => action.name === text || `${action.repo}/${action.name}` === text;
  const found = known.filter(isMeant);
  if (found.length === 1) return found[0]!;
  if (found.length > 1) {
    throw new PullyuError('unknown-action', `${JSON.stringify(text)} is an action of several repos`, {
      hint: `say ${found.map((action) => `${action.repo}/${action.name}`).join(' or ')}`,
    });
  }
  const message = `expected ${expected}, found ${JSON.stringify(text)}`;
  if (ran.some(isMeant))
    throw new PullyuError('unknown-action', `${message}, which the repository does not have any more`, {
      hint: `what it did here: pullyu history ${text}`,
    });
  throw new PullyuError('unknown-action', message, {
    hint: namesHint(text, [...new Set(known.map((action) => action.name))]),
  });
}

const NAMES_SHOWN = 20;

function namesHint(text: string, names: readonly string[]): string {
  if (names.length === 0) return 'there is none';
  const near = nearest(text, names);
  const more = names.length > NAMES_SHOWN ? `, and ${names.length - NAMES_SHOWN} more` : '';
  const all = `there are ${names.slice(0, NAMES_SHOWN).join(', ')}${more}`;
  return near === null ? all : `did you mean ${near}? ${all}`;
}
