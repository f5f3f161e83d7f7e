/** Programs of this host that send: a script of the operator, sendmail. */
import { errnoOf } from '../errors.ts';
import { printable } from '../model/printable.ts';
import { exec } from '../system/exec.ts';
import { failed, type SendAnswer } from './channel.ts';

export interface ProgramOptions {
  /** Our own environment: PATH and HOME are taken from it, and nothing else. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly input: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

const TIMEOUT_MS = 30_000;
const OUTPUT_MAX_BYTES = 64 * 1024;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Delivered when it exits with 0. */
export async function sendByProgram(argv: readonly string[], o: ProgramOptions): Promise<SendAnswer> {
  const timeoutMs = o.timeoutMs ?? TIMEOUT_MS;
  const env = {
    PATH: o.env.PATH === undefined ? PATH : `${o.env.PATH}:/usr/sbin:/usr/lib`,
    LANG: 'C.UTF-8',
    ...(o.env.HOME === undefined ? {} : { HOME: o.env.HOME }),
  };
  try {
    const done = await exec(o.env.PULLYU_RUNS === 'systemd-run' ? outsideSandbox(argv, env) : argv, {
      cwd: '/',
      env,
      input: o.input,
      timeoutMs,
      maxOutputBytes: OUTPUT_MAX_BYTES,
      ...(o.signal === undefined ? {} : { signal: o.signal }),
    });
    if (done.ended === 'timed-out') return failed(`it did not end within ${timeoutMs / 1000} s`);
    if (done.ended !== 'exited') return failed(`it was ended: ${done.ended}`);
    if (done.exitCode === 0) return { ok: true };
    const said = done.stderr.trim().split('\n').at(-1) ?? '';
    const how = done.exitCode === null ? `was ended by ${done.signal}` : `exited with ${done.exitCode}`;
    return failed(`it ${how}${said === '' ? '' : `: ${printable(said, 120)}`}`);
  } catch (error) {
    const code = errnoOf((error as Error).cause) ?? errnoOf(error) ?? 'unknown';
    return failed(`it cannot be run (${code})`);
  }
}

/** The agent's unit may write nowhere but into its state; a mail has to go into a spool. */
function outsideSandbox(argv: readonly string[], env: Readonly<Record<string, string>>): string[] {
  return [
    'systemd-run',
    '--quiet',
    '--collect',
    '--wait',
    '--pipe',
    '--no-ask-password',
    '--description=A message of pullyu',
    ...Object.entries(env).map(([name, value]) => `--setenv=${name}=${value}`),
    '--',
    // The service manager replaces $NAME in arguments; $$ is a dollar.
    ...argv.map((word) => word.replaceAll('$', '$$$$')),
  ];
}
