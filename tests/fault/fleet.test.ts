/** Real agents, one status repository behind nginx. With 200 of them: fleet-200.slow.test.ts. */
import { tellFleetStory } from '../support/fleet-story.ts';
import { needsProgram } from '../support/needs.ts';

needsProgram('nginx', 'fcgiwrap')(
  'twenty hosts tell of every run once, in order, and nobody writes over another',
  () =>
    tellFleetStory({
      hosts: 20,
      commits: 3,
      interval: '1s',
      heartbeat: '10s',
      pushEveryMs: 500,
      batch: 6,
      timeoutMs: 60_000,
      say: console.log,
    }),
);
