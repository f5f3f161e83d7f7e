/** Where the host publishes: does it answer, and did what the host has to tell arrive? */
import type { DeliveryState } from '../agent/deliveries.ts';
import { SILENT_BEATS } from '../model/presence.ts';
import type { Result } from '../model/trouble.ts';
import { bad, type Finding, good } from './finding.ts';

export interface StatusFacts {
  readonly delivery: DeliveryState;
  /** Of a question that changes nothing; null: it was not asked. */
  readonly answer: Result<unknown> | null;
  readonly now: number;
  readonly heartbeatMs: number;
  /** A repo that this host polls, whose remote names the same repository in other words, as far as URLs tell; null: none. */
  readonly polledAs: string | null;
}

export function judgeStatus(stores: readonly StatusFacts[]): Finding[] {
  return stores.flatMap((facts) => [...judgePlace(facts), ...judgeAnswer(facts), judgeDelivery(facts)]);
}

/** The same URL is refused by host.yaml; another spelling may be another repository. */
function judgePlace({ delivery, polledAs }: StatusFacts): Finding[] {
  if (polledAs === null) return [];
  return [
    bad('warn', `status over ${delivery.store}`, {
      found: `${delivery.name} looks like a remote of repo ${polledAs}`,
      expected: 'a repository of its own: each push of a presence would be news for every host that polls it',
      hint: 'make a second repository for the status, and give hosts a key that only reads the first',
    }),
  ];
}

function judgeAnswer({ delivery, answer }: StatusFacts): Finding[] {
  const check = `status over ${delivery.store}`;
  if (answer === null) return [];
  if (answer.ok) return [good(check, `${delivery.name} answers`)];
  const { code, message, hint } = answer.trouble;
  return [
    bad('fail', check, {
      found: `${delivery.name}: ${message} (${code})`,
      expected: 'an answer',
      hint: hint ?? 'looks and runs go on; what waits is delivered when it answers again',
    }),
  ];
}

function judgeDelivery({ delivery, now, heartbeatMs }: StatusFacts): Finding {
  const check = `delivery over ${delivery.store}`;
  const { deliveredAt, trouble, waiting } = delivery;
  if (trouble !== null) {
    return bad('fail', check, {
      found: `${trouble.message} (${trouble.code})${waiting === 0 ? '' : `; ${waiting} lines wait`}`,
      expected: 'that what this host has to tell arrives',
      hint: trouble.hint ?? 'looks and runs go on; it is tried again by itself',
    });
  }
  if (deliveredAt === null || now - deliveredAt > SILENT_BEATS * heartbeatMs) {
    return bad('warn', check, {
      found:
        deliveredAt === null
          ? 'nothing was delivered yet'
          : `the last was at ${new Date(deliveredAt).toISOString()}`,
      expected: 'a presence in each heartbeat; readers call this host silent',
      hint: 'pullyu look',
    });
  }
  return good(check, `the last was at ${new Date(deliveredAt).toISOString()}`);
}
