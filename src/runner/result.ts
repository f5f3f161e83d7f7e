/** From an exit code and what else is known to an outcome. Pure. */
import { constants } from 'node:os';
import type { Interruption, RunIntent, RunResult } from '../model/run.ts';
import type { EndReason } from './spec.ts';

/**
 * @param code As a shell gives it: 128 + N when signal N ended the process. A script that exits with such a code by
 *   itself cannot be told apart; by convention it means the same.
 * @param ending Why we ended it, when we did: then its code says nothing.
 */
export function resultOfExit(
  intent: RunIntent,
  code: number,
  ending: EndReason | null,
  endedAt: number,
): RunResult {
  const signal = signalOf(code);
  const base = { id: intent.id, signal, endedAt };
  if (ending !== null) return { ...base, outcome: ending, exitCode: null, note: endingNote(intent, ending) };
  if (code === 0) return { ...base, outcome: 'ok', exitCode: 0, note: null };
  return {
    ...base,
    outcome: 'failed',
    exitCode: signal === null ? code : null,
    note: signal === null ? null : `ended by ${signal}`,
  };
}

/** A run of ours that left no exit code behind. */
export function resultOfEnding(intent: RunIntent, ending: EndReason, endedAt: number, left = 0): RunResult {
  const note = [
    endingNote(intent, ending),
    left === 0 ? null : `${left} of its processes could not be ended (waiting for a device?)`,
  ].filter((part) => part !== null);
  return {
    id: intent.id,
    outcome: ending,
    exitCode: null,
    signal: 'SIGKILL',
    endedAt,
    note: note.length === 0 ? null : note.join('; '),
  };
}

export function interruptedResult(
  intent: RunIntent,
  interruption: Interruption,
  endedAt: number,
  note: string = INTERRUPTION_NOTES[interruption],
): RunResult {
  return { id: intent.id, outcome: 'interrupted', exitCode: null, signal: null, endedAt, note, interruption };
}

export function refusedResult(intent: RunIntent, note: string, endedAt: number): RunResult {
  return { id: intent.id, outcome: 'refused', exitCode: null, signal: null, endedAt, note };
}

const INTERRUPTION_NOTES: Readonly<Record<Interruption, string>> = {
  'never-began': 'the agent was stopped before the run began',
  reboot: 'the machine went down while it ran',
  killed: 'its processes were killed before they could say how it ended',
};

function endingNote(intent: RunIntent, ending: EndReason): string | null {
  return ending === 'timed-out' ? `not done after ${Math.round(intent.timeoutMs / 100) / 10} s` : null;
}

function signalOf(code: number): string | null {
  if (code <= 128) return null;
  return Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0] ?? null;
}
