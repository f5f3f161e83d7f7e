/** One-shot looks hand on which repo is to be left alone, each for itself. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { createHost, type TestHost } from '../support/host.ts';
import { needsProgram } from '../support/needs.ts';
import { startNginx } from '../support/nginx.ts';
import { createRemote } from '../support/repo.ts';
import { said, say, sayRepository } from '../support/say.ts';

/** Cron's call of the next minute: for it the last look is a minute old. */
async function heartbeat(host: TestHost): Promise<void> {
  const file = join(host.state, 'state.json');
  const state = JSON.parse(readFileSync(file, 'utf8')) as { lastLookAt: number };
  writeFileSync(file, JSON.stringify({ ...state, lastLookAt: state.lastLookAt - 60_000 }));
  await host.run(['look', '--heartbeat']);
}

needsProgram('nginx')(
  'a server that asks for silence gets it from each later heartbeat, and the other repo is not delayed',
  async () => {
    using asked = await createRemote('asked');
    using well = await createRemote('well');
    await asked.publish(sayRepository('one'));
    await well.publish(sayRepository('one'));
    await using nginx = await startNginx({ folder: asked.folder });
    await using host = createHost({
      interval: '60s',
      repos: { asked: nginx.url(asked.path), well: well.url },
    });
    expect((await host.look()).code).toBe(0);
    await nginx.answer({ status: 429, retryAfter: '600' });
    nginx.forget();
    await heartbeat(host);
    expect(nginx.requests().length).toBe(1);
    await asked.publish(say('two'));
    await well.publish(say('two'));
    await heartbeat(host);
    await heartbeat(host);
    expect(nginx.requests().length).toBe(1);
    expect(said(host, 'well')).toEqual(['one', 'two']);
    expect((await host.status()).repos[0]!.trouble?.code).toBe('slow-down');

    // A person wants to know now.
    const typed = await host.run(['look']);
    expect(nginx.requests().length).toBe(2);
    expect(typed.stderr).toMatch(
      /^asked: asked all the same; by itself it would have been left alone until /m,
    );
    await nginx.answer('git');
    await heartbeat(host);
    expect(said(host, 'asked')).toEqual(['one']);
    expect((await host.look()).code).toBe(0);
    expect(said(host, 'asked')).toEqual(['one', 'two']);
  },
);
