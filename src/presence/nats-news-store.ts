/** What was told, in NATS: one key of a bucket of its own, which nothing grows old in. */
import type { NatsConfig } from '../model/host.ts';
import { ok } from '../model/trouble.ts';
import type { Clock } from '../system/clock.ts';
import type { KV } from './nats-client.ts';
import type { NatsSession } from './nats-connect.ts';
import { openNatsLink } from './nats-link.ts';
import { NEWS_BUCKET } from './nats-names.ts';
import { codeOf } from './nats-places.ts';
import type { NewsStore, StoredNews } from './news-store.ts';

const KEY = 'state';
const NO_STREAM = 10059;
/** The words of the server for "it is at another revision". */
const WRONG_REVISION: readonly (number | null)[] = [10071, 10164];

export function createNatsNewsStore(config: NatsConfig, clock: Clock): NewsStore {
  const link = openNatsLink(config, clock);
  return {
    name: link.name,
    load: (signal) =>
      link.use<StoredNews>(
        'to know what was told',
        async (session) => {
          const entry = await (await bucketOf(session)).get(KEY);
          if (entry === null || entry.operation !== 'PUT') return ok({ text: null, token: null });
          return ok({ text: entry.string(), token: String(entry.revision) });
        },
        signal,
      ),
    save: (text, token, signal) =>
      link.use(
        'to keep what was told',
        async (session) => {
          const bucket = await bucketOf(session);
          try {
            const revision =
              token === null ? await bucket.create(KEY, text) : await bucket.update(KEY, text, Number(token));
            return ok(String(revision));
          } catch (error) {
            if (WRONG_REVISION.includes(codeOf(error))) return ok(null);
            throw error;
          }
        },
        signal,
      ),
    close: () => void link.close(),
  };
}

/** Made when it is missing; whoever makes it at the same moment makes the same one. To find it asks for fewer rights. */
async function bucketOf(session: NatsSession): Promise<KV> {
  const kvm = new session.client.Kvm(session.js);
  try {
    await session.jsm.streams.info(`KV_${NEWS_BUCKET}`);
    return await kvm.open(NEWS_BUCKET);
  } catch (error) {
    if (codeOf(error) !== NO_STREAM) throw error;
  }
  return kvm.create(NEWS_BUCKET, {
    description: 'what was told about the fleet: pullyu',
    history: 1,
    replicas: session.servers >= 3 ? 3 : 1,
  });
}
