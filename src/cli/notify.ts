/** `pullyu notify test`: does every channel arrive? Asks nobody about the fleet, and changes nothing of what was told. */
import { hostname } from 'node:os';
import { readHostConfig } from '../config/read-host-config.ts';
import { EXIT, type ExitCode, PullyuError } from '../errors.ts';
import { printable } from '../model/printable.ts';
import { openChannels } from '../news/open-channels.ts';
import type { CommandContext } from './context.ts';

export async function runNotifyTest(options: { json?: boolean }, context: CommandContext): Promise<ExitCode> {
  const { paths, env, clock, out, signal } = context;
  const { config } = await readHostConfig(paths, hostname());
  const { notify, name } = config;
  if (notify == null)
    throw new PullyuError('usage', `expected notify in ${paths.hostFile}, found none`, {
      hint: 'docs/notify.md has an example',
    });
  const channels = openChannels(notify.channels, { env, now: clock.now });
  const tested = await Promise.all(
    channels.map(async (channel) => {
      const message = {
        level: channel.level,
        text: `a test of pullyu on ${name}: this channel works`,
        lines: [],
        host: name,
        at: clock.now(),
      };
      const answer = await channel.send(message, signal);
      return {
        name: channel.name,
        level: channel.level,
        sent: answer.ok,
        why: answer.ok ? null : answer.why,
      };
    }),
  );
  if (options.json) out.json({ channels: tested });
  else
    for (const { name: channel, level, sent, why } of tested)
      out.line(
        `${sent ? out.green('sent') : out.red('failed')} ${printable(channel)}, ${level}${why === null ? '' : `: ${why}`}`,
      );
  return tested.every(({ sent }) => sent) ? EXIT.ok : EXIT.failed;
}
