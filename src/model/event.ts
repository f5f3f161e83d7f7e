import type { CommitId, RunId } from './ids.ts';
import type { Outcome, RunReason } from './run.ts';
import type { LastingTrouble, Trouble, TroubleCode } from './trouble.ts';

/** Everything that the world hears. Terminal, log, and later presence, metrics and page are renderers of it. */
export type AgentEvent =
  | {
      readonly type: 'agent-started';
      readonly version: string;
      readonly intervalMs: number;
      readonly repos: readonly string[];
    }
  | { readonly type: 'agent-stopping'; readonly why: string }
  | { readonly type: 'cloning'; readonly repo: string; readonly remote: string }
  | { readonly type: 'progress'; readonly repo: string; readonly text: string }
  | {
      readonly type: 'target-moved';
      readonly repo: string;
      readonly from: CommitId | null;
      readonly to: CommitId;
      readonly remote: string;
      readonly subject: string;
    }
  | { readonly type: 'tree-published'; readonly repo: string; readonly commit: CommitId }
  | { readonly type: 'trouble-began'; readonly repo: string; readonly trouble: LastingTrouble }
  | {
      readonly type: 'trouble-ended';
      readonly repo: string;
      readonly trouble: LastingTrouble;
      readonly endedAt: number;
    }
  | { readonly type: 'healed'; readonly repo: string; readonly what: string }
  | {
      readonly type: 'run-started';
      readonly run: RunId;
      readonly repo: string;
      readonly action: string;
      readonly commit: CommitId;
      readonly reason: RunReason;
      readonly attempt: number;
      readonly sentence: string;
    }
  | {
      readonly type: 'run-ended';
      readonly run: RunId;
      readonly repo: string;
      readonly action: string;
      readonly commit: CommitId;
      readonly reason: RunReason;
      readonly outcome: Outcome;
      readonly exitCode: number | null;
      readonly durationMs: number;
      readonly note: string | null;
      readonly tail: string;
    }
  | { readonly type: 'run-adopted'; readonly run: RunId; readonly repo: string; readonly action: string }
  | { readonly type: 'applied'; readonly repo: string; readonly commit: CommitId }
  | { readonly type: 'superseded'; readonly repo: string; readonly from: CommitId; readonly to: CommitId }
  | { readonly type: 'paused'; readonly reason: string; readonly until: number }
  | { readonly type: 'resumed' }
  /** What the host has to tell does not arrive; nothing else waits for it. */
  | { readonly type: 'status-trouble-began'; readonly status: string; readonly trouble: Trouble }
  | { readonly type: 'status-trouble-ended'; readonly status: string; readonly code: TroubleCode }
  | { readonly type: 'warning'; readonly text: string };

/** Where events go. Must not throw and must not block. */
export type EventSink = (event: AgentEvent) => void;
