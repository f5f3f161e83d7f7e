/** `look --heartbeat`: what cron's call has to do before it looks. */
import { readValidView } from '../agent/host-view.ts';
import { ensureIdentity } from '../agent/identity.ts';
import { readState } from '../agent/state-file.ts';
import { keepHeartbeat } from '../heartbeat/keep.ts';
import type { Proof } from '../heartbeat/proven.ts';
import type { CommandContext } from './context.ts';
import { heartbeatContext } from './heartbeat-context.ts';

/** @returns what is to be made by this process; `beat`: it is too early for a look, and nobody else says that this host lives. */
export async function takeDuty(
  context: CommandContext,
  proof: Proof | null,
): Promise<'look' | 'beat' | 'nothing'> {
  const { view } = await readValidView(context.paths, ensureIdentity(context.paths.state));
  let started = false;
  const duty = await keepHeartbeat(
    {
      intervalMs: view.config.intervalMs,
      say: (text) => context.out.line(text),
      onStart: () => {
        started = true;
      },
    },
    heartbeatContext(context),
  );
  const isTooEarly = duty === 'look' && isAskedToWait(context);
  if (duty === 'look' && !isTooEarly) return 'look';
  // Somebody else does the work, or it is not time yet: this start was no try. A daemon that was started by it is one.
  if (!started) proof?.withdraw();
  return isTooEarly && view.config.status !== null ? 'beat' : 'nothing';
}

/** After a look in trouble, or when a server asked to be left alone, cron's minute is too early. A clock that was set back asks nothing. */
function isAskedToWait(context: CommandContext): boolean {
  const now = context.clock.now();
  const { lastLookAt, nextLookAt, mode } = readState(context.paths.state);
  return (
    mode === 'look' && lastLookAt !== null && nextLookAt !== null && lastLookAt <= now && now < nextLookAt
  );
}
