/** What a host says about its machine: where it is reached, and what the operator's own program adds. */
import { networkInterfaces } from 'node:os';
import { errnoOf } from '../errors.ts';
import { printable } from '../model/printable.ts';
import { exec } from '../system/exec.ts';
import { ADDRESSES_MAX, FACTS_MAX, isAddress, isFactKey, isHarmless, LENGTH_MAX } from './presence-text.ts';

type Interfaces = ReturnType<typeof networkInterfaces>;

/** Of the interfaces that are up, without loopback and link-local ones; IPv4 first, sorted, at most `ADDRESSES_MAX`. */
export function readAddresses(interfaces: Interfaces = networkInterfaces()): string[] {
  const all = Object.values(interfaces).flatMap((list) => list ?? []);
  const wanted = all.filter(
    ({ internal, address }) => !internal && isAddress(address) && !isLinkLocal(address),
  );
  return [...new Set(wanted.map(({ address }) => address))].sort(compareAddresses).slice(0, ADDRESSES_MAX);
}

function isLinkLocal(address: string): boolean {
  return /^(?:169\.254\.|fe[89ab][0-9a-f]:)/i.test(address);
}

function compareAddresses(a: string, b: string): number {
  if (a.includes(':') !== b.includes(':')) return a.includes(':') ? 1 : -1;
  return a < b ? -1 : 1;
}

export type FactsAnswer =
  | { readonly ok: true; readonly facts: Readonly<Record<string, string>> }
  /** One printable line: what was expected, what was found. The facts of before still hold. */
  | { readonly ok: false; readonly why: string };

export interface FactsOptions {
  /** Of it, PATH, HOME and LANG reach the program, and nothing else. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
  /** Default: 10 s. */
  readonly timeoutMs?: number;
}

const FACTS_TIMEOUT_MS = 10_000;
const FACTS_MAX_BYTES = 4 * 1024;

/**
 * Runs the operator's program, with an empty standard input in `/`, and reads the lines `key=value` that it prints. All of them are taken,
 * or none. Never throws.
 */
export async function readOperatorFacts(program: string, o: FactsOptions): Promise<FactsAnswer> {
  const timeoutMs = o.timeoutMs ?? FACTS_TIMEOUT_MS;
  const refuse = (what: string): FactsAnswer => ({
    ok: false,
    why: `facts: ${printable(program, 200)} ${what}`,
  });
  try {
    const done = await exec([program], {
      cwd: '/',
      env: cleanEnvironment(o.env),
      timeoutMs,
      maxOutputBytes: FACTS_MAX_BYTES,
      ...(o.signal === undefined ? {} : { signal: o.signal }),
    });
    if (done.ended === 'timed-out')
      return refuse(`was expected to end within ${timeoutMs / 1000} s, it did not`);
    if (done.ended === 'too-much-output')
      return refuse(`was expected to print at most ${FACTS_MAX_BYTES} bytes, it printed more`);
    if (done.ended !== 'exited') return refuse('was ended before it could answer');
    if (done.exitCode !== 0) return refuse(`was expected to exit with 0, it ${describeExit(done)}`);
    const parsed = parseFacts(done.stdout);
    return parsed.ok ? parsed : refuse(`printed no facts: ${parsed.why}`);
  } catch (error) {
    return refuse(`cannot be run (${errnoOf((error as Error).cause) ?? errnoOf(error) ?? 'unknown'})`);
  }
}

function cleanEnvironment(env: FactsOptions['env']): Record<string, string> {
  return {
    PATH: env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LANG: 'C.UTF-8',
    ...(env.HOME === undefined ? {} : { HOME: env.HOME }),
  };
}

function describeExit(done: { exitCode: number | null; signal: string | null; stderr: string }): string {
  const how = done.exitCode === null ? `was ended by ${done.signal}` : `exited with ${done.exitCode}`;
  const said = done.stderr.trim().split('\n').at(-1) ?? '';
  return said === '' ? how : `${how}: ${printable(said, 200)}`;
}

/** Lines `key=value`; empty lines and those that begin with `#` say nothing. */
export function parseFacts(bytes: Uint8Array): FactsAnswer {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return { ok: false, why: 'expected UTF-8, found bytes that are not' };
  }
  const facts = new Map<string, string>();
  for (const [index, whole] of text.split('\n').entries()) {
    const line = whole.trim();
    if (line === '' || line.startsWith('#')) continue;
    const why = whatIsWrong(line, facts);
    if (why !== null) return { ok: false, why: `line ${index + 1}: ${why}` };
    facts.set(...splitFact(line));
  }
  return { ok: true, facts: Object.fromEntries(facts) };
}

function splitFact(line: string): [key: string, value: string] {
  const at = line.indexOf('=');
  return [line.slice(0, at).trimEnd(), line.slice(at + 1).trimStart()];
}

function whatIsWrong(line: string, known: ReadonlyMap<string, string>): string | null {
  if (!line.includes('=')) return `expected key=value, found "${printable(line, 60)}"`;
  const [key, value] = splitFact(line);
  if (!isFactKey(key))
    return `expected a key of at most 64 letters, digits, "_", "." and "-", found "${printable(key, 60)}"`;
  if (known.has(key)) return `expected each key once, found "${key}" again`;
  if (known.size >= FACTS_MAX) return `expected at most ${FACTS_MAX} facts, found more`;
  if (value.length > LENGTH_MAX.fact || !isHarmless(value))
    return `expected a printable value of at most ${LENGTH_MAX.fact} characters for "${key}", found another`;
  return null;
}
