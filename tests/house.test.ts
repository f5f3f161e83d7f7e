/** The rules of the house that a machine can hold. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const src = join(root, 'src');

/** What a folder of src may import, besides itself. Left imports right, never the other way. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  model: [],
  'errors.ts': [],
  system: ['errors.ts', 'model'],
  plan: ['model', 'errors.ts'],
  config: ['model', 'errors.ts', 'system', 'plan'],
  git: ['model', 'errors.ts', 'system'],
  journal: ['model', 'errors.ts', 'system'],
  runner: ['model', 'errors.ts', 'system'],
  fleet: ['model', 'errors.ts'],
  presence: ['model', 'errors.ts', 'system', 'git', 'fleet'],
  hub: ['model', 'errors.ts', 'system', 'git', 'fleet', 'presence'],
  news: ['model', 'errors.ts', 'system', 'git', 'fleet', 'presence'],
  agent: [
    'model',
    'errors.ts',
    'system',
    'plan',
    'config',
    'git',
    'journal',
    'runner',
    'fleet',
    'presence',
    'news',
  ],
  heartbeat: [
    'model',
    'errors.ts',
    'system',
    'plan',
    'config',
    'git',
    'journal',
    'fleet',
    'presence',
    'runner',
    'agent',
  ],
  demo: ['model', 'errors.ts', 'system'],
  cli: [
    'model',
    'errors.ts',
    'system',
    'plan',
    'config',
    'git',
    'journal',
    'runner',
    'fleet',
    'presence',
    'news',
    'agent',
    'heartbeat',
    'demo',
    'hub',
  ],
};

/** Only these know the clock's timers, processes, sockets and files of Node. */
const PURE = ['model', 'plan', 'fleet'];

interface Source {
  readonly path: string;
  readonly folder: string;
  readonly imports: readonly string[];
}

const sources = listSources(src).map(readSource);
const products = sources.filter(
  ({ path }) => !/\.(test|testing)\.ts$/.test(path) && !path.endsWith('example-values.ts'),
);

function listSources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

function readSource(path: string): Source {
  const text = readFileSync(path, 'utf8').replace(/^\s*(?:\/?\*|\/\/).*$/gm, '');
  const imports = [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]!);
  return { path, folder: relative(src, path).split('/')[0]!, imports };
}

function targetOf(source: Source, specifier: string): string | null {
  return specifier.startsWith('.') ? resolve(dirname(source.path), specifier) : null;
}

test('imports of src point one way', () => {
  const wrong: string[] = [];
  for (const source of products) {
    const allowed = MAY_IMPORT[source.folder];
    expect(allowed, `the folder src/${source.folder} is known`).toBeDefined();
    for (const specifier of source.imports) {
      const target = targetOf(source, specifier);
      if (target === null) continue;
      const folder = relative(src, target).split('/')[0]!;
      if (folder !== source.folder && !allowed!.includes(folder))
        wrong.push(`${relative(root, source.path)} imports ${specifier}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('every relative import exists', () => {
  const missing = sources.flatMap((source) =>
    source.imports
      .map((specifier) => targetOf(source, specifier))
      .filter((target) => target !== null && !existsSync(target))
      .map((target) => `${relative(root, source.path)} -> ${relative(root, target!)}`),
  );
  expect(missing).toEqual([]);
});

test('no file imports itself through others', () => {
  const edges = new Map(products.map((source) => [source.path, runtimeImports(source)]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    const at = trail.indexOf(path);
    if (at !== -1)
      return void cycles.push([...trail.slice(at), path].map((one) => relative(src, one)).join(' -> '));
    if (done.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  expect(cycles).toEqual([]);
});

/** Types vanish; a circle of them alone is none. */
function runtimeImports(source: Source): string[] {
  const text = readFileSync(source.path, 'utf8')
    .replace(/import type[^;]*;/g, '')
    .replace(/export type \{[^;]*;/g, '');
  return [...text.matchAll(/(?:\bfrom|\bimport)\s+'(\.[^']+)'/g)].map((match) =>
    resolve(dirname(source.path), match[1]!),
  );
}

test('deciding knows nothing of the world', () => {
  const wrong = products
    .filter(({ folder }) => PURE.includes(folder))
    .flatMap((source) =>
      source.imports
        .filter((name) => name.startsWith('node:') && name !== 'node:crypto')
        .map((name) => `${relative(root, source.path)}: ${name}`),
    );
  expect(wrong).toEqual([]);
});

test('only the launcher ends the process', () => {
  const wrong = products
    .filter(
      ({ path }) =>
        !path.endsWith('heartbeat/first-boot.ts') && /\bprocess\.exit\(/.test(readFileSync(path, 'utf8')),
    )
    .map(({ path }) => relative(root, path));
  expect(wrong).toEqual([]);
});

test('every folder of src is a noun of the domain', () => {
  const names = readdirSync(src).filter((name) => statSync(join(src, name)).isDirectory());
  expect(names.filter((name) => /^(utils?|helpers?|common|lib|misc|shared)$/.test(name))).toEqual([]);
});

test('the folder map of ARCHITECTURE.md names every folder of src', () => {
  const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
  const missing = readdirSync(src).filter((name) => !text.includes(`src/${name}`));
  expect(missing).toEqual([]);
});
