import { expect, test } from 'vitest';
import { isLabelKey } from './labels.ts';

test('a label key is what can become the name of a variable', () => {
  expect(['part', 'rack-unit', 'a.b_c', '1st', 'x'.repeat(256)].filter((one) => !isLabelKey(one))).toEqual(
    [],
  );
  expect(
    ['', '-a', '.a', 'a b', 'a=b', 'a/b', 'a\nb', 'ä', 'x'.repeat(257)].filter((one) => isLabelKey(one)),
  ).toEqual([]);
});
