/** Wakes over NATS: a subject for each repo, to which hosts listen. Nothing is stored: who is away looks at its next interval anyway. */
import type { NatsConfig } from '../model/host.ts';
import { ok, type Result } from '../model/trouble.ts';
import { formatWake, parseWake, type Wake } from '../model/wake.ts';
import { type Clock, delay } from '../system/clock.ts';
import type { NatsSession } from './nats-connect.ts';
import { openNatsLink } from './nats-link.ts';
import { isNatsName, wakeSubject } from './nats-names.ts';

export interface WakeOptions {
  readonly clock: Clock;
}

export interface WakeListening {
  close(): Promise<void>;
}

/**
 * Listens for as long as it is not closed, over every connection that comes and goes.
 * @param onTrouble The servers do not let us listen: one printable line.
 */
export function listenForWakes(
  config: NatsConfig,
  repos: readonly string[],
  o: WakeOptions & { readonly onWake: (wake: Wake) => void; readonly onTrouble: (why: string) => void },
): WakeListening {
  const link = openNatsLink(config, o.clock);
  const listen = ({ connection }: NatsSession) => {
    for (const repo of repos.filter(isNatsName)) {
      connection.subscribe(wakeSubject(repo), {
        callback(error, message) {
          if (error !== null)
            return o.onTrouble(`wakes of ${repo} do not come: the server refuses ${wakeSubject(repo)}`);
          const wake = parseWake(repo, message.string());
          if (wake !== null) o.onWake(wake);
        },
      });
    }
  };
  const sessions = link.onSession(listen);
  return {
    async close() {
      sessions.close();
      await link.close();
    },
  };
}

/** Resolves when a server has it. @param wake Its repo: `isNatsName`. */
export async function publishWake(
  config: NatsConfig,
  wake: Wake,
  o: WakeOptions & { readonly signal: AbortSignal },
): Promise<Result<null>> {
  const link = openNatsLink(config, o.clock);
  try {
    return await link.use(
      `to pass on a wake of ${wake.repo}`,
      async ({ connection }) => {
        let refusal: unknown = null;
        void (async () => {
          for await (const status of connection.status()) if (status.type === 'error') refusal = status.error;
        })();
        connection.publish(wakeSubject(wake.repo), formatWake(wake));
        await connection.flush();
        // A refusal came before the answer to that; who tells of it had no turn yet.
        await delay(0);
        if (refusal !== null) throw refusal;
        return ok(null);
      },
      o.signal,
    );
  } finally {
    await link.close();
  }
}
