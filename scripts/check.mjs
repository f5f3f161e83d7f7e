// The static checks: types, format and lint, unused code. The direction of imports is a test (tests/house.test.ts).
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const checks = [
  ['types', 'tsc', '-p', '.'],
  ['format and lint', 'biome', 'check', '--error-on-warnings', '.'],
  ['unused code', 'knip', '--no-progress'],
];
let failed = 0;
for (const [name, program, ...args] of checks) {
  const started = Date.now();
  const result = spawnSync(join(root, 'node_modules/.bin', program), args, { cwd: root, encoding: 'utf8' });
  const good = result.status === 0;
  console.log(`check: ${name} ${good ? 'ok' : 'FAILED'} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  if (!good) {
    console.log(`${result.stdout}${result.stderr}`);
    failed += 1;
  }
}
process.exitCode = failed === 0 ? 0 : 1;
