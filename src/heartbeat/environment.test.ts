import { expect, test } from 'vitest';
import { addEnvironment, proxiesOf } from './environment.ts';

test('the proxies of the installing shell are kept, and nothing else of it', () => {
  const env = {
    http_proxy: 'http://proxy:3128',
    NO_PROXY: 'localhost,.example.com',
    SECRET: 'x',
    https_proxy: '',
  };
  expect(addEnvironment(null, proxiesOf(env))).toMatch(
    /^# .*\nhttp_proxy="http:\/\/proxy:3128"\nNO_PROXY="localhost,.example.com"\n$/,
  );
});

test('without a proxy there is no file', () => {
  expect(addEnvironment(null, {})).toBeNull();
});

test('a line that somebody wrote is not changed, and a missing new line at the end does no harm', () => {
  const text = '# mine\nhttp_proxy=http://other:1';
  expect(addEnvironment(text, { http_proxy: 'http://proxy:3128' })).toBe(text);
  expect(addEnvironment(text, { no_proxy: 'x' })).toBe(`${text}\nno_proxy="x"\n`);
});

test('a value with quotes or control characters is left out', () => {
  expect(proxiesOf({ http_proxy: 'http://a"b', https_proxy: 'x\ny', all_proxy: "'" })).toEqual({});
});
