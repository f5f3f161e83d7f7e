/** `pullyu demo`: the whole product on this machine, in some seconds. */
import { runDemo } from '../demo/demo.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { CommandContext } from './context.ts';

export async function runDemoCommand(
  options: { readonly stay?: boolean },
  context: CommandContext,
): Promise<ExitCode> {
  const closed = new AbortController();
  const onHangup = () => closed.abort();
  process.on('SIGHUP', onHangup);
  // An impatient second Ctrl-C must not leave behind what the first has begun to clear away; that takes some seconds at most.
  const wait = () => {};
  process.on('SIGINT', wait);
  process.on('SIGTERM', wait);
  try {
    const signal = AbortSignal.any([context.signal, closed.signal]);
    const good = await runDemo(context.out, { stay: options.stay === true, signal });
    return good ? EXIT.ok : EXIT.failed;
  } finally {
    process.removeListener('SIGHUP', onHangup);
    process.removeListener('SIGINT', wait);
    process.removeListener('SIGTERM', wait);
  }
}
