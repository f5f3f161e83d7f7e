/** What can be said about a presence by itself, whoever is expected: the costly half of judging it. */
import type { Presence } from '../model/presence.ts';
import { printable } from '../model/printable.ts';
import { parsePresence } from './parse-presence.ts';
import { verifySignature } from './sshsig.ts';
import type { StoredPresence } from './store.ts';

export type ExaminedPresence =
  | { readonly ok: true; readonly presence: Presence; readonly key: string }
  /** One printable line. */
  | { readonly ok: false; readonly why: string };

/**
 * Remembers what was found about the presences of the reading before: of ten thousand only those that changed are verified again. Kept
 * by their whole text and signature, so that it cannot be led astray.
 */
export interface PresenceMemo {
  examine(stored: StoredPresence): ExaminedPresence;
  /** Outside of a whole reading: takes the place of whatever is known of the host. */
  examineAgain(stored: StoredPresence): ExaminedPresence;
  /** Between two readings: what was not asked for since the last call is forgotten. */
  turn(): void;
}

export function createPresenceMemo(): PresenceMemo {
  /** By host, from each store one. */
  let before = new Map<string, Remembered[]>();
  let current = new Map<string, Remembered[]>();
  const look = (stored: StoredPresence): Remembered => {
    const { signature, text, host } = stored;
    const isIt = (one: Remembered) => one.signature === signature && one.text === text;
    return before.get(host)?.find(isIt) ?? { signature, text, examined: examinePresence(stored) };
  };
  return {
    examine(stored) {
      const { host } = stored;
      const found = look(stored);
      const list = current.get(host);
      if (list === undefined) current.set(host, [found]);
      else list.push(found);
      return found.examined;
    },
    examineAgain(stored) {
      const found = look(stored);
      before.set(stored.host, [found]);
      return found.examined;
    },
    turn() {
      before = current;
      current = new Map();
    },
  };
}

interface Remembered {
  readonly signature: string;
  readonly text: string;
  readonly examined: ExaminedPresence;
}

/** Never throws, whatever was stored. The signature comes first: nothing of a text that nobody signed is looked at. */
export function examinePresence({ host, text, signature }: StoredPresence): ExaminedPresence {
  const key = verifySignature(text, signature);
  if (key === null) return { ok: false, why: 'its signature is not valid' };
  const parsed = parsePresence(text);
  if (!parsed.ok) return { ok: false, why: `it is no presence: ${parsed.why}` };
  const { presence } = parsed;
  if (presence.host !== host)
    return {
      ok: false,
      why: `it was signed for the host ${presence.host}, found under ${printable(host, 64)}`,
    };
  return { ok: true, presence, key };
}
