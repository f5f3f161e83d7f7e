// Bundles src into dist: the whole program as one file, so that an agent goes on when it is upgraded under its feet, and beside it
// what V8 made of that file, because parsing would be a third of what a one-shot look costs.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

process.umask(0o022);
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const next = join(root, `dist.${process.pid}.tmp`);
const old = join(root, `dist.${process.pid}.old.tmp`);
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
/** What a look with nothing to do never uses is loaded when it is first used. */
const SELDOM = ['node:child_process', 'node:crypto', 'node:os', 'node:zlib'];
/**
 * bin/pullyu calls this function with what a CommonJS module gets; nothing is in the global scope. Its own `require` remembers:
 * each of a hundred modules asks for node:fs.
 */
const START = `(function(exports,load,module,__filename){
const moduleUrl=load('node:url').pathToFileURL(__filename).href,loaded=new Map(),seldom=new Set(${JSON.stringify(SELDOM)}),
later=name=>{let it;const get=()=>it??=load(name);return new Proxy({},{get:(_,key)=>get()[key],ownKeys:()=>Reflect.ownKeys(get())})},
beside=name=>name.startsWith('./')?load('node:path').join(__filename,'..',name):name,
require=name=>{let found=loaded.get(name);if(found===undefined)loaded.set(name,found=seldom.has(name)?later(name):load(beside(name)));return found};`;

/** The client of NATS is a file of its own: hosts without it neither read nor compile it. */
const natsApart = {
  name: 'nats-apart',
  setup(made) {
    made.onResolve({ filter: /\/nats-client\.ts$/ }, () => ({ path: './nats.cjs', external: true }));
  },
};

const common = {
  absWorkingDir: root,
  outdir: next,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  minifySyntax: true,
  minifyWhitespace: true,
  // A third less to read and to revive from the code cache. main.cjs.map says what the names of a stack trace are.
  minifyIdentifiers: true,
  sourcemap: 'linked',
  external: ['fs-native-extensions'],
  logLevel: 'warning',
};

const lookAlone = {
  name: 'look-alone',
  setup(made) {
    made.onResolve({ filter: /^\.\/program\.ts$/ }, ({ importer }) =>
      importer.endsWith('/cli/main.ts') ? { path: 'program', namespace: 'absent' } : null,
    );
    made.onLoad({ filter: /.*/, namespace: 'absent' }, () => ({
      contents: "export function runProgram() { throw new Error('bin/pullyu calls main.cjs for this') }",
    }));
  },
};

/** One file that holds all that it may need, so that an agent goes on when it is upgraded under its feet. */
function buildProgram(name, plugins) {
  return build({
    ...common,
    entryPoints: { [name]: 'src/cli/main.ts' },
    outExtension: { '.js': '.cjs' },
    format: 'cjs',
    // import() becomes require(): everything is in this file, and evaluated when it is asked for.
    supported: { 'dynamic-import': false },
    define: { PULLYU_VERSION: JSON.stringify(version), 'import.meta.url': 'moduleUrl' },
    banner: { js: START },
    footer: { js: '})' },
    plugins,
  });
}

mkdirSync(next, { recursive: true });
try {
  await buildProgram('main', [natsApart]);
  // What cron calls each minute: the same program, of which only the bare look is there. Half as much to read and to revive.
  await buildProgram('look', [natsApart, lookAlone]);
  await build({
    ...common,
    entryPoints: { nats: 'src/presence/nats-client.ts' },
    outExtension: { '.js': '.cjs' },
    format: 'cjs',
  });
  await build({ ...common, entryPoints: ['src/demo/git-server.ts', 'src/demo/balancer.ts'], format: 'esm' });
  for (const name of ['main.cjs', 'look.cjs']) {
    const file = join(next, name);
    const source = readFileSync(file, 'utf8');
    const id = createHash('sha256').update(source).digest('hex').slice(0, 16);
    writeFileSync(file, `//${id}\n${source}`);
  }
  copyFileSync(join(root, 'src/runner/shim.sh'), join(next, 'shim.sh'));
  chmodSync(join(next, 'shim.sh'), 0o755);
  // Whoever is called in between finds the old one or the new one, but for a moment.
  if (existsSync(dist)) renameSync(dist, old);
  renameSync(next, dist);
} finally {
  for (const folder of [next, old]) rmSync(folder, { recursive: true, force: true });
}
const cached = spawnSync(process.execPath, ['scripts/code-cache.mjs'], {
  cwd: root,
  stdio: 'inherit',
  timeout: 120_000,
});
if (cached.status !== 0)
  console.error('warning: no code cache was made; one-shot looks take some milliseconds longer');
