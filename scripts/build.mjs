// Bundles src into dist: one small entry for the look path, every other command in chunks that only it loads.
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const next = join(root, `dist.${process.pid}.tmp`);
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

mkdirSync(next, { recursive: true });
try {
  await build({
    absWorkingDir: root,
    entryPoints: { main: 'src/cli/main.ts', 'git-server': 'src/demo/git-server.ts' },
    outdir: next,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    minify: true,
    keepNames: true,
    sourcemap: 'linked',
    external: ['fs-native-extensions'],
    define: { PULLYU_VERSION: JSON.stringify(version) },
    // Packages in CommonJS that are bundled into ES modules still ask for require().
    banner: { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" },
    logLevel: 'warning',
  });
  cpSync(join(root, 'src/runner/shim.sh'), join(next, 'shim.sh'));
  chmodSync(join(next, 'shim.sh'), 0o755);
  rmSync(dist, { recursive: true, force: true });
  cpSync(next, dist, { recursive: true, preserveTimestamps: false });
} finally {
  rmSync(next, { recursive: true, force: true });
}
