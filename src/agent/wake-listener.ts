/** Wakes of this host's repos, as looks. What speaks to NATS is loaded here: a host without it never pays for it. */
import type { NatsConfig } from '../model/host.ts';
import type { Wake } from '../model/wake.ts';
import { resolveTracking } from '../plan/tracking.ts';
import { wakeConcerns } from '../plan/wake-concerns.ts';
import type { WakeListening } from '../presence/wakes.ts';
import type { AgentContext } from './context.ts';
import type { Looker } from './look.ts';
import { createWakeGate } from './wake-gate.ts';

export interface WakeListener {
  close(): Promise<void>;
}

export interface WakeListenerOptions {
  readonly context: Pick<AgentContext, 'clock' | 'emit'>;
  readonly looker: () => Pick<Looker, 'view' | 'repoStates'>;
  /** How many hosts are known. */
  readonly hosts: () => number;
  readonly onWake: () => void;
}

export function createWakeListener(config: NatsConfig, o: WakeListenerOptions): WakeListener {
  const { clock, emit } = o.context;
  const gate = createWakeGate({ clock, hosts: o.hosts, onWake: o.onWake });
  const told = new Set<string>();
  const { repos } = o.looker().view().config;
  const onWake = (wake: Wake) => {
    const { host } = o.looker().view();
    const repo = repos.find(({ name }) => name === wake.repo);
    const tracking = repo && resolveTracking(repo.track, host.labels);
    // A rule that is broken is said by the look.
    if (!tracking?.ok) return;
    const seen = o.looker().repoStates()[wake.repo]?.seen ?? null;
    if (wakeConcerns(wake, tracking.value, seen)) gate.wake();
  };
  const onTrouble = (text: string) => {
    if (told.has(text)) return;
    told.add(text);
    emit({ type: 'warning', text });
  };
  let isClosed = false;
  const names = repos.map(({ name }) => name);
  const listening = import('../presence/wakes.ts').then((wakes): WakeListening | null =>
    isClosed ? null : wakes.listenForWakes(config, names, { clock, onWake, onTrouble }),
  );
  listening.catch((error: unknown) => onTrouble(`wakes do not come: ${String(error)}`));
  return {
    async close() {
      isClosed = true;
      gate.close();
      await (await listening.catch(() => null))?.close();
    },
  };
}
