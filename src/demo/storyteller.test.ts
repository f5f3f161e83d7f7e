import { expect, test } from 'vitest';
import { createStoryteller, type Voice, wrap } from './storyteller.ts';

const plain = (text: string) => text;

function hear(isTerminal: boolean, columns: number): { voice: Voice; lines: string[] } {
  const lines: string[] = [];
  const voice = {
    line: (text = '') => void lines.push(text),
    isTerminal,
    columns,
    bold: plain,
    dim: plain,
    green: plain,
    red: plain,
  };
  return { voice, lines };
}

test('a text is wrapped at blanks, and a word that is too long stays whole', () => {
  expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
  expect(wrap('one two', 7)).toEqual(['one two']);
  expect(wrap('a-word-that-is-too-long for it', 7)).toEqual(['a-word-that-is-too-long', 'for it']);
  expect(wrap('', 7)).toEqual(['']);
});

test('on a terminal what a program printed is wrapped to its width, behind its mark', () => {
  const { voice, lines } = hear(true, 20);
  createStoryteller(voice).quote('a sentence of some words\n\nend\n');
  expect(lines).toEqual(['   | a sentence of', '   |   some words', '   |', '   | end']);
});

test('in a pipe what a program printed keeps its lines', () => {
  const { voice, lines } = hear(false, 20);
  createStoryteller(voice).quote('a sentence of some more words than that');
  expect(lines).toEqual(['   | a sentence of some more words than that']);
});

test('moments are told in seconds, and never before the push', () => {
  const { voice, lines } = hear(false, 80);
  const tell = createStoryteller(voice);
  tell.moment(1234, 'it: applied');
  tell.moment(null, '  | more of it');
  tell.moment(-20, 'seen before the push returned');
  expect(lines).toEqual([
    '    1.23 s  it: applied',
    '              | more of it',
    '    0.00 s  seen before the push returned',
  ]);
});
