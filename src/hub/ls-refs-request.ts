/** The body of a probe: `ls-refs` of protocol v2. Pure. What is not of the usual form is left to git itself. */
import { createPacketReader } from '../git/pkt-line.ts';

export interface LsRefsRequest {
  readonly peel: boolean;
  readonly symrefs: boolean;
  readonly unborn: boolean;
  /** As bytes in latin1, which is how names are compared. None: everything. */
  readonly prefixes: readonly string[];
  /** Of the capability object-format; null when the client names none. */
  readonly objectFormat: string | null;
}

/** As in git: with more of them the client gets everything. */
const PREFIXES_MAX = 65_535;

/** @returns null when it is something else than one plain ls-refs request, or has a word that we do not know. */
export function parseLsRefsRequest(body: Buffer): LsRefsRequest | null {
  const prefixes: string[] = [];
  const found = { peel: false, symrefs: false, unborn: false };
  let objectFormat: string | null = null;
  let isCommand = false;
  let phase: 'capabilities' | 'arguments' | 'end' = 'capabilities';
  let isPlain = true;

  const reader = createPacketReader((mark, bytes, start, end) => {
    if (phase === 'end') isPlain = false;
    else if (mark === 0) phase = 'end';
    else if (mark === 1 && phase === 'capabilities') phase = 'arguments';
    else if (mark !== 4) isPlain = false;
    else if (phase === 'capabilities') onCapability(bytes.toString('latin1', start, end));
    else onArgument(bytes.toString('latin1', start, end));
    return isPlain;
  });
  function onCapability(word: string) {
    if (word === 'command=ls-refs' && !isCommand) isCommand = true;
    else if (word.startsWith('object-format=')) objectFormat = word.slice('object-format='.length);
    else if (!/^(?:agent|server-option)=/.test(word)) isPlain = false;
  }
  function onArgument(word: string) {
    if (word.startsWith('ref-prefix ')) prefixes.push(word.slice('ref-prefix '.length));
    else if (word === 'peel' || word === 'symrefs' || word === 'unborn') found[word] = true;
    else isPlain = false;
  }

  const state = reader.push(body);
  if (state !== 'reading' || reader.isMidPacket() || !isPlain || !isCommand) return null;
  // Without the flush at its end git says that it is cut off.
  if ((phase as string) !== 'end' || prefixes.length > PREFIXES_MAX) return null;
  return { ...found, prefixes, objectFormat };
}
