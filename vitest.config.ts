import { defineConfig } from 'vitest/config';

const shared = {
  environment: 'node',
  testTimeout: 60_000,
  hookTimeout: 60_000,
  // Real processes on two cores: more workers only make everything wait.
  pool: 'forks',
  maxWorkers: 2,
  globalSetup: [],
} as const;

export default defineConfig({
  define: { PULLYU_VERSION: JSON.stringify('0.0.0-test') },
  test: {
    projects: [
      {
        extends: true,
        test: {
          ...shared,
          name: 'fast',
          include: ['{src,tests}/**/*.test.ts'],
          exclude: ['**/*.slow.test.ts', 'node_modules/**'],
        },
      },
      {
        extends: true,
        test: { ...shared, name: 'slow', include: ['{src,tests}/**/*.slow.test.ts'], testTimeout: 1_800_000 },
      },
    ],
  },
});
