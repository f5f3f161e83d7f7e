/** Which action an operator means by `NAME` or `REPO/NAME`. */
import { PullyuError } from '../errors.ts';

export interface NamedAction {
  readonly repo: string;
  readonly name: string;
}

/** @throws PullyuError `unknown-action` with the nearest names, or when two repos have it. */
export function findAction<T extends NamedAction>(text: string, known: readonly T[]): T {
  const found = known.filter((action) => action.name === text || `${action.repo}/${action.name}` === text);
  if (found.length === 1) return found[0]!;
  if (found.length > 1) {
    throw new PullyuError('unknown-action', `${JSON.stringify(text)} is an action of several repos`, {
      hint: `say ${found.map((action) => `${action.repo}/${action.name}`).join(' or ')}`,
    });
  }
  const names = [...new Set(known.map((action) => action.name))];
  throw new PullyuError('unknown-action', `expected an action of this host, found ${JSON.stringify(text)}`, {
    hint:
      names.length === 0
        ? 'no repo of this host has an action'
        : `there are ${names.slice(0, 20).join(', ')}`,
  });
}
