import { PullyuError } from '../errors.ts';
import { exec } from '../system/exec.ts';
import { firstLine, type ToolOptions } from './tools.ts';

/** Longer than the start of our unit may take. */
const TIMEOUT_MS = 120_000;

/** @throws PullyuError when systemctl does not exit with 0. */
export async function runSystemctl(args: readonly string[], tools: ToolOptions): Promise<void> {
  const result = await exec([...(tools.systemctl ?? ['systemctl']), ...args], {
    env: { ...tools.env, LC_ALL: 'C', SYSTEMD_PAGER: '' },
    timeoutMs: TIMEOUT_MS,
  });
  if (result.exitCode === 0) return;
  throw new PullyuError(
    'failed',
    `systemctl ${args.join(' ')}: ${firstLine(result.stderr) || result.ended}`,
    {
      hint: 'see journalctl -n 50; what had been installed was put back',
    },
  );
}

/** One property of a unit as `systemctl show` says it (`ActiveState`: `active`, `failed`, ...); null when it cannot say. */
export async function readUnitProperties(
  name: string,
  manager: readonly string[],
  properties: readonly string[],
  tools: ToolOptions,
): Promise<Readonly<Record<string, string>> | null> {
  const argv = [
    ...(tools.systemctl ?? ['systemctl']),
    ...manager,
    'show',
    `--property=${properties.join(',')}`,
    name,
  ];
  try {
    const result = await exec(argv, {
      env: { ...tools.env, LC_ALL: 'C', SYSTEMD_PAGER: '' },
      timeoutMs: 10_000,
    });
    if (result.exitCode !== 0) return null;
    const lines = result.stdout.toString('utf8').split('\n');
    return Object.fromEntries(
      lines
        .filter((l) => l.includes('='))
        .map((l) => [l.slice(0, l.indexOf('=')), l.slice(l.indexOf('=') + 1)]),
    );
  } catch {
    return null;
  }
}
