import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { decidePaths, type Paths } from '../system/paths.ts';
import { configStamp, readHostConfig } from './read-host-config.ts';

let paths: Paths;
let cacheFile: string;
beforeEach(() => {
  paths = decidePaths(mkdtempSync(join(tmpdir(), 'pullyu-')), {}, 0);
  mkdirSync(paths.config, { recursive: true });
  mkdirSync(paths.state, { recursive: true });
  cacheFile = join(paths.state, 'config-cache.json');
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(paths.root!, { recursive: true });
});

const write = (text: string) => writeFileSync(paths.hostFile, text);
/** As if the file had been written a while ago. */
const later = () => vi.useFakeTimers({ now: Date.now() + 60_000, toFake: ['Date'] });
const read = async (hostName = 'web') => (await readHostConfig(paths, hostName)).config;

/** Puts a mark into the kept copy, to see later whether it was used. */
function markCache(): void {
  const cache = JSON.parse(readFileSync(cacheFile, 'utf8'));
  cache.config.name = 'from-cache';
  writeFileSync(cacheFile, JSON.stringify(cache));
}

test('the parsed form is kept, and used as long as the file is the same', async () => {
  write('labels: {part: app}\n');
  later();
  const first = await readHostConfig(paths, 'web');
  expect(first.stamp).toBe(configStamp(paths));
  markCache();
  expect(await readHostConfig(paths, 'web')).toEqual({
    config: { ...first.config, name: 'from-cache' },
    stamp: first.stamp,
  });
});

test('any change of the file makes the copy useless: content, replacement, even with an old time stamp', async () => {
  write('interval: 10s\n');
  utimesSync(paths.hostFile, 1, 1);
  later();
  await read();
  markCache();
  const other = `${paths.hostFile}.new`;
  writeFileSync(other, 'interval: 20s\n');
  utimesSync(other, 1, 1);
  renameSync(other, paths.hostFile);
  expect(await read()).toMatchObject({ name: 'web', intervalMs: 20_000 });
});

test('another name of the machine makes the copy useless', async () => {
  write('');
  later();
  await read('web');
  expect((await read('db')).name).toBe('db');
});

test('a file that was changed a moment ago is not kept', async () => {
  write('interval: 10s\n');
  vi.useFakeTimers({ now: Date.now(), toFake: ['Date'] });
  await read();
  expect(() => readFileSync(cacheFile)).toThrow('ENOENT');
});

test.each(['', 'null', '{', '[]', '{"key":1}', '\0\0\0'])('a copy that holds %j is ignored', async (text) => {
  write('interval: 10s\n');
  later();
  await read();
  writeFileSync(cacheFile, text);
  expect((await read()).intervalMs).toBe(10_000);
});

test('without a state folder it works all the same', async () => {
  write('interval: 10s\n');
  later();
  rmSync(paths.state, { recursive: true });
  expect((await read()).intervalMs).toBe(10_000);
});

test('without a host.yaml the host follows nothing yet, and the hint says what to do', async () => {
  expect(configStamp(paths)).toBeNull();
  await expect(readHostConfig(paths, 'web')).rejects.toMatchObject({
    code: 'not-bootstrapped',
    message: `expected ${paths.hostFile}, found none`,
    hint: 'run `pullyu bootstrap URL` with the URL of your repository',
  });
});

test('a broken host.yaml is an error that names the file, and is not kept', async () => {
  write('intervall: 5s\n');
  later();
  await expect(readHostConfig(paths, 'web')).rejects.toMatchObject({
    code: 'host-config',
    lines: [`${paths.hostFile}:1:1: unknown key "intervall"; did you mean "interval"?`],
  });
  expect(() => readFileSync(cacheFile)).toThrow('ENOENT');
});

test('a file without end is cut, a folder is refused', async () => {
  write(`# ${'x'.repeat(3 * 2 ** 20)}`);
  await expect(read()).rejects.toMatchObject({
    lines: [`${paths.hostFile}:1:1: expected at most 1 MiB, found 1048577 bytes`],
  });
  rmSync(paths.hostFile);
  mkdirSync(paths.hostFile);
  await expect(read()).rejects.toThrow(`expected a file, found a folder: ${paths.hostFile}`);
});
