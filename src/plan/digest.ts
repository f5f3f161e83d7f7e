import { createHash, hash } from 'node:crypto';

/** 32 hex digits of a SHA-256: enough to tell two states of one host apart, short enough to read in a record. */
export function digestOf(value: unknown): string {
  return hash('sha256', JSON.stringify(value), 'hex').slice(0, 32);
}

/** A stable number in [0, 1) for a name. Stands in for chance wherever a decision must be the same twice. */
export function fractionOf(name: string): number {
  // The id of this host, at each look.
  if (name !== last.name) {
    const fraction = createHash('sha256').update(name).digest().readUIntBE(0, 6) / 2 ** 48;
    last = { name, fraction };
  }
  return last.fraction;
}

let last = { name: '', fraction: Number.NaN };
