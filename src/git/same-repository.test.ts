import { expect, test } from 'vitest';
import { looksLikeSameRepository } from './same-repository.ts';

test.each([
  ['https://git.example.com/team/it.git', 'git@git.example.com:team/it.git'],
  ['https://git.example.com/team/it', 'ssh://git@git.example.com:2222/team/it.git/'],
  ['https://git.example.com/it.git', 'ssh://git.example.com/srv/git/it.git'],
  ['http://git.example.com/it.git', 'https://GIT.example.com/It'],
  ['/srv/git/it.git', 'file:///srv//git/./it'],
  ['https://git.example.com/a%20b.git', 'git@git.example.com:a b'],
])('%s and %s are one repository', (a, b) => {
  expect(looksLikeSameRepository(a, b)).toBe(true);
  expect(looksLikeSameRepository(b, a)).toBe(true);
});

test.each([
  ['https://git.example.com/it.git', 'https://git.example.com/status.git'],
  ['https://git.example.com/it.git', 'git@git.example.org:it.git'],
  ['http://127.0.0.1:8001/it.git', 'http://127.0.0.1:8002/it.git'],
  ['https://git.example.com/a/it.git', 'https://git.example.com/it.git'],
  ['https://git.example.com/it.git', 'not a url'],
])('%s and %s are two', (a, b) => expect(looksLikeSameRepository(a, b)).toBe(false));
