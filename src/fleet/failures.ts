/** Which actions of a presence did not succeed, and how that is said. */
import { shortId } from '../model/ids.ts';
import type { PresenceAction } from '../model/presence.ts';
import { printable } from '../model/printable.ts';
import { EXIT_NEEDS_HUMAN, EXIT_TRY_AGAIN } from '../model/run.ts';

/** Its last run has ended and did not do its work. Giving way to a newer commit is no failure. */
export function isFailing(action: PresenceAction): boolean {
  return (
    action.parked || (action.outcome !== null && action.outcome !== 'ok' && action.outcome !== 'superseded')
  );
}

/** `shop failed with exit code 1 at 3f2a91c, attempt 3`. */
export function describeFailure(action: PresenceAction): string {
  const name = printable(action.name, 60);
  const at = action.commit === null ? '' : ` at ${shortId(action.commit)}`;
  if (action.parked) return `${name} parked: ${howItEnded(action)}${at}`;
  return `${name} ${howItEnded(action)}${at}${action.attempt > 1 ? `, attempt ${action.attempt}` : ''}`;
}

function howItEnded({ outcome, exitCode }: PresenceAction): string {
  switch (outcome) {
    case 'failed':
      if (exitCode === EXIT_TRY_AGAIN) return `asked to be tried again (exit code ${exitCode})`;
      if (exitCode === EXIT_NEEDS_HUMAN) return `asked for a human (exit code ${exitCode})`;
      return exitCode === null ? 'failed' : `failed with exit code ${exitCode}`;
    case 'timed-out':
      return 'took too long';
    case 'interrupted':
      return 'was cut off';
    case 'refused':
      return 'could not be started';
    default:
      return 'needs a human';
  }
}
