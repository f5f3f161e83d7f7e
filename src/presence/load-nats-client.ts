export type NatsClient = typeof import('./nats-client.ts');

/** A host without `nats` in host.yaml never comes here. */
export function loadNatsClient(): Promise<NatsClient> {
  return import('./nats-client.ts');
}
