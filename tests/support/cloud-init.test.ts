import { expect } from 'vitest';
import { checkCloudConfig, needsCloudInit } from './cloud-init.ts';

needsCloudInit()('tells good user data from bad', async () => {
  const good =
    '#cloud-config\npackages: [git]\nruncmd:\n  - [pullyu, bootstrap, "https://example.com/it.git"]\n';
  expect(await checkCloudConfig(good)).toMatchObject({ valid: true });
  expect(await checkCloudConfig('#cloud-config\nruncmd: 5\n')).toMatchObject({
    valid: false,
    said: expect.stringContaining('is not of type'),
  });
});
