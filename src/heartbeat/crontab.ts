/** The program crontab: reads and replaces the crontab of the user that we are. */
import { PullyuError } from '../errors.ts';
import { type ExecResult, exec } from '../system/exec.ts';
import { firstLine, type ToolOptions } from './tools.ts';

const TIMEOUT_MS = 10_000;

/**
 * The user's crontab; empty when there is none.
 * @throws PullyuError when it cannot be read: whoever took that for an empty one would delete the lines of others.
 */
export async function readCrontab(tools: ToolOptions): Promise<string> {
  const result = await runCrontab(tools, ['-l']);
  if (result.exitCode === 0) return result.stdout.toString('utf8');
  // Debian and cronie; BusyBox.
  if (/no crontab for|can't open '[^']*': No such file/.test(result.stderr)) return '';
  throw crontabError('read', result);
}

/** An empty text removes the crontab. */
export async function writeCrontab(tools: ToolOptions, text: string): Promise<void> {
  const result = await (text === '' ? runCrontab(tools, ['-r']) : runCrontab(tools, ['-'], text));
  if (result.exitCode !== 0) throw crontabError('write', result);
}

function runCrontab(tools: ToolOptions, args: readonly string[], input?: string): Promise<ExecResult> {
  return exec([...(tools.crontab ?? ['crontab']), ...args], {
    env: { ...tools.env, LC_ALL: 'C' },
    timeoutMs: TIMEOUT_MS,
    ...(input === undefined ? {} : { input }),
  });
}

function crontabError(verb: string, result: ExecResult): PullyuError {
  return new PullyuError(
    'refused',
    `cannot ${verb} the crontab: ${firstLine(result.stderr) || `crontab ${result.ended}`}`,
    {
      hint: 'see /etc/cron.allow and /etc/cron.deny; or choose --heartbeat systemd',
    },
  );
}
