import { expect, test } from 'vitest';
import { PullyuError } from '../errors.ts';
import { type FindOptions, findAction, type NamedAction } from './find-action.ts';

const named = (...names: string[]): NamedAction[] =>
  names.map((text) => {
    const [repo, name] = text.split('/') as [string, string];
    return { repo, name };
  });

function said(text: string, known: readonly NamedAction[], o: FindOptions = {}): string[] {
  try {
    findAction(text, known, o);
  } catch (error) {
    if (error instanceof PullyuError) return [error.message, error.hint ?? ''];
  }
  throw new Error('expected an error');
}

test('an action is found by its name, and by its repo and name where several repos have one of that name', () => {
  const known = named('it/shop', 'web/shop', 'it/backup');
  expect(findAction('backup', known)).toEqual({ repo: 'it', name: 'backup' });
  expect(findAction('web/shop', known)).toEqual({ repo: 'web', name: 'shop' });
  expect(said('shop', known)).toEqual(['"shop" is an action of several repos', 'say it/shop or web/shop']);
});

test('a name that is not there is answered with the nearest one, and with those that there are', () => {
  expect(said('shpo', named('it/backup', 'it/shop'))).toEqual([
    'expected an action of this host, found "shpo"',
    'did you mean shop? there are backup, shop',
  ]);
  const many = named(...Array.from({ length: 25 }, (_, n) => `it/a${n}`));
  expect(said('other', many)[1]).toMatch(/^there are a0, .*, a19, and 5 more$/);
  expect(said('other', [])[1]).toBe('there is none');
});

test('an action that the repository had once is said to be gone, with the way to its history', () => {
  expect(said('shop', named('it/backup'), { ran: named('it/shop') })).toEqual([
    'expected an action of this host, found "shop", which the repository does not have any more',
    'what it did here: pullyu history shop',
  ]);
});
