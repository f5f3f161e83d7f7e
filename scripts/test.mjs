// npm test: set-up, static checks, then every test. Its last line counts, so that nothing skipped passes for tested.
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const slow = process.argv.includes('--slow');
const filters = process.argv.slice(2).filter((word) => word !== '--slow');

step('scripts/setup.mjs', '--quiet', '--debian');
if (slow) step('scripts/debian.mjs', '--slow');
if (filters.length === 0) step('scripts/check.mjs');
step(
  'node_modules/vitest/vitest.mjs',
  'run',
  ...(slow ? ['--project', 'slow'] : ['--project', 'fast']),
  ...filters,
);

function step(script, ...args) {
  const result = spawnSync(process.execPath, [script, ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (result.status !== 0) process.exit(result.status ?? 1);
}
