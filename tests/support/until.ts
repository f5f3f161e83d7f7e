import { delay } from '../../src/system/clock.ts';

export interface UntilOptions {
  /** What is waited for, as it should stand in the failure: "the page to change". */
  readonly what?: string;
  /** Default 20 s: for a loaded machine, never the expected time. */
  readonly timeoutMs?: number;
  readonly everyMs?: number;
  /** Added to the failure: what was there instead. */
  readonly found?: () => unknown | Promise<unknown>;
}

/**
 * Asks again and again until the condition gives something truthy, and returns that. An exception counts as "not yet".
 * Fails at the deadline with what was waited for and what was found.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = Date.now() + (options.timeoutMs ?? 20_000);
  let last: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value as Exclude<T, false | null | undefined>;
      last = value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) break;
    await delay(options.everyMs ?? 25);
  }
  const found = options.found
    ? await Promise.resolve()
        .then(options.found)
        .catch((error: unknown) => error)
    : last;
  const lastError =
    last instanceof Error && last !== found ? `; the last question failed: ${last.message}` : '';
  throw new Error(`waited in vain for ${options.what ?? 'a condition'}; found: ${show(found)}${lastError}`);
}

function show(found: unknown): string {
  const text = found instanceof Error ? found.message : (JSON.stringify(found, null, 1) ?? String(found));
  return text.slice(0, 6_000);
}
