/** Two hundred real agents (about 12 GB of memory), one status repository behind nginx, twenty commits one after another. */
import { freemem } from 'node:os';
import { expect } from 'vitest';
import { tellFleetStory } from '../support/fleet-story.ts';
import { needsProgram } from '../support/needs.ts';

const HOSTS = Number(process.env.PULLYU_FLEET_HOSTS ?? 200);
const BYTES_EACH = 70 * 2 ** 20;

needsProgram('nginx', 'fcgiwrap')(
  `${HOSTS} hosts converge on twenty commits; no transition is lost, no ref written over`,
  { timeout: 15 * 60_000 },
  async () => {
    expect(freemem(), 'bytes of free memory').toBeGreaterThan(HOSTS * BYTES_EACH);
    await tellFleetStory({
      hosts: HOSTS,
      commits: 20,
      interval: '4s',
      heartbeat: '60s',
      pushEveryMs: 2_000,
      batch: 8,
      timeoutMs: 5 * 60_000,
      say: console.log,
    });
  },
);
