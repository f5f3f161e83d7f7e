// npm run bench: the figures of docs/performance.md (about 12 minutes). `--quick`: a tenth of it, nothing is written. `--fleet`, `--hub`: that section alone.
import { mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = mkdtempSync(join(root, 'node_modules/.pullyu-bench-'));
process.env.PULLYU_TEST_BIN ??= join(root, 'bin/pullyu');
try {
  const outfile = join(folder, 'bench.mjs');
  await build({
    absWorkingDir: root,
    entryPoints: ['tests/bench/main.ts'],
    outfile,
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    logLevel: 'warning',
    // What the bench shares with the tests comes without their runner.
    plugins: [
      {
        name: 'no-runner',
        setup: ({ onResolve }) =>
          onResolve({ filter: /^vitest$/ }, () => ({ path: 'vitest', external: true, sideEffects: false })),
      },
    ],
  });
  const { runBench } = await import(pathToFileURL(outfile).href);
  const [quick, fleet, hub] = ['--quick', '--fleet', '--hub'].map((word) => process.argv.includes(word));
  process.exitCode = await runBench({ checkout: root, quick, fleet, hub });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
