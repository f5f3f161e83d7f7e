// Writes what is made from the schemas: schemas/*.json and the reference pages. A test says when they are out of step.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = mkdtempSync(join(root, 'node_modules/.pullyu-docs-'));
try {
  const outfile = join(folder, 'reference.mjs');
  await build({
    absWorkingDir: root,
    entryPoints: ['src/config/reference.ts'],
    outfile,
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    logLevel: 'warning',
  });
  const { generatedFiles } = await import(pathToFileURL(outfile).href);
  for (const [path, content] of generatedFiles()) {
    writeFileSync(join(root, path), content);
    console.log(path);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
