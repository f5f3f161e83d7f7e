/** What a push wants, read from its beginning, before git gets it. Pure. */
import { createPacketReader } from '../git/pkt-line.ts';

export interface PushCommand {
  /** As git names it; bytes beyond ASCII in latin1. */
  readonly ref: string;
  readonly old: string;
  readonly new: string;
}

export interface PushReader {
  /** `reading`: more is needed. `done`: the commands are complete. `strange`: no push as we know it, so git decides. */
  push(chunk: Buffer): 'reading' | 'done' | 'strange';
  readonly commands: readonly PushCommand[];
}

const COMMAND = /^([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) ([^\0]+)$/;

export function createPushReader(): PushReader {
  const commands: PushCommand[] = [];
  let state: 'reading' | 'done' | 'strange' = 'reading';
  const reader = createPacketReader((mark, bytes, start, end) => {
    if (mark !== 4) {
      state = mark === 0 ? 'done' : 'strange';
      return false;
    }
    const text = bytes.toString('latin1', start, end);
    if (/^shallow [0-9a-f]+$/.test(text)) return true;
    const match = COMMAND.exec(commands.length === 0 ? (text.split('\0', 1)[0] ?? '') : text);
    if (match === null) state = 'strange';
    else commands.push({ old: match[1]!, new: match[2]!, ref: match[3]! });
    return state === 'reading';
  });
  return {
    commands,
    push(chunk) {
      if (state === 'reading' && reader.push(chunk) === 'broken') state = 'strange';
      return state;
    },
  };
}
