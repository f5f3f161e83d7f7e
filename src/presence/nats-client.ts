/** What we use of the NATS project's client. Bundled by itself as dist/nats.cjs and loaded at the first use: see `loadNatsClient`. */
export { type JetStreamClient, type JetStreamManager, jetstream } from '@nats-io/jetstream';
export { type KV, Kvm, type KvWatchEntry } from '@nats-io/kv';
export { connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
