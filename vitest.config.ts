import { defineConfig } from 'vitest/config';

const shared = {
  environment: 'node',
  testTimeout: 90_000,
  hookTimeout: 90_000,
  pool: 'forks',
  // Most tests wait for processes; a third worker fills the gaps of two cores, a fourth only makes everybody late.
  maxWorkers: 3,
  // A shared machine may stand still for seconds. A retried test is shown as such; on a person's machine nothing is retried.
  retry: process.env.CI ? 2 : 0,
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
