/**
 * The pieces of both schemas. A message says what was expected; who reports it adds what was found, unless the message says that
 * itself (", found ").
 */
import * as v from 'valibot';
import type { RunLimits } from '../model/action.ts';
import type { Selector } from '../model/labels.ts';
import { DURATION, formatDuration, parseDuration } from './duration.ts';
import { isToken } from './shown.ts';
import { parseSize, SIZE } from './size.ts';

/** Begins the message about a key that is not known; the known ones follow. */
export const UNKNOWN_KEY = 'unknown key; known: ';
/** Begins the message about a key that must be there. */
export const MISSING_KEY = 'missing key ';

export const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const NAME_RULE =
  'a name of at most 64 lower-case letters, digits, ".", "_" and "-" that begins with a letter or digit';
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
const NO_CONTROL = /^[^\u0000-\u001f\u007f-\u009f]*$/;

/** A mapping with these keys and no others. */
export function closed<const E extends v.ObjectEntries>(entries: E, expected: string) {
  const known = Object.keys(entries).join(' ');
  return noList(
    v.strictObject(entries, (issue) => {
      if (issue.expected === 'never') return UNKNOWN_KEY + known;
      return issue.expected === 'Object' ? expected : MISSING_KEY + issue.expected;
    }),
  );
}

/** A mapping from names that the user chooses. */
export function namedMap<const K extends v.GenericSchema<string, string>, const V extends v.GenericSchema>(
  key: K,
  value: V,
  expected: string,
) {
  return noList(v.record(key, value, expected));
}

/**
 * A union with mappings of which each has a key of its own: that key says which one is meant, and of the others nothing is reported.
 * @param whole All alternatives: what the JSON Schema is made from.
 * @param otherwise For what has none of the keys.
 */
export function byKey<const S extends v.GenericSchema>(
  whole: S,
  meant: Readonly<Record<string, v.GenericSchema>>,
  otherwise: v.GenericSchema,
): S {
  return {
    ...whole,
    '~run': (dataset, config) => {
      const { value } = dataset;
      const isMapping = typeof value === 'object' && value !== null;
      const found = isMapping ? Object.keys(meant).find((key) => Object.hasOwn(value, key)) : undefined;
      return (found === undefined ? otherwise : meant[found]!)['~run'](dataset, config) as never;
    },
  };
}

/** To valibot a list is an object too; to the one who wrote it, it is not. */
function noList<S extends v.GenericSchema>(schema: S): S {
  return {
    ...schema,
    '~run': (dataset, config) =>
      schema['~run'](Array.isArray(dataset.value) ? { value: undefined } : dataset, config) as never,
  };
}

export const name = v.pipe(v.string(NAME_RULE), v.regex(NAME, NAME_RULE));

const LABEL_KEY = 'a label of letters, digits, ".", "_" and "-" that begins with a letter or digit';
const LABEL_VALUE = 'a text of 1 to 256 characters without control characters';

export const labelKey = v.pipe(v.string(LABEL_KEY), v.regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,255}$/, LABEL_KEY));

export const labelValue = asWritten(
  v.pipe(
    v.string(LABEL_VALUE),
    v.minLength(1, LABEL_VALUE),
    v.maxLength(256, LABEL_VALUE),
    v.regex(NO_CONTROL, LABEL_VALUE),
  ),
  LABEL_VALUE,
);

const SELECTED = 'the value of a label, or a list of values';

/** Labels that a host must have; of a list, any one. */
export const selector = namedMap(
  labelKey,
  v.union(
    [labelValue, v.pipe(v.array(labelValue, SELECTED), v.minLength(1, 'at least one value'))],
    SELECTED,
  ),
  'a mapping of labels such as {part: app}',
);

export function decideSelector(values: v.InferOutput<typeof selector>): Selector {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.map(String) : String(value),
    ]),
  );
}

/** A text that YAML may take for a number or a boolean. It reaches the schema as it is written (`readYaml`). */
export function asWritten<const S extends v.GenericSchema<string, string>>(text: S, expected: string) {
  return v.union([text, v.number(expected), v.boolean(expected)], expected);
}

/** A text of one line. */
export function line(expected: string, maxLength = 4096) {
  const found = `expected ${expected}, found control characters, nothing, or more than ${maxLength} characters`;
  return v.pipe(
    v.string(expected),
    v.minLength(1, found),
    v.maxLength(maxLength, found),
    v.regex(NO_CONTROL, found),
  );
}

export function duration(minMs: number, maxMs: number) {
  const expected = 'a duration such as 500ms, 60s, 10m, 2h or 1d';
  const range = `a duration from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
  return v.pipe(
    v.string(expected),
    v.regex(DURATION, expected),
    v.check((text) => {
      const ms = parseDuration(text);
      return ms === null || (ms >= minMs && ms <= maxMs);
    }, range),
  );
}

export function size() {
  const expected = 'a size such as 512 KiB, 100 MiB or 8 GiB';
  return v.pipe(
    v.string(expected),
    v.regex(SIZE, expected),
    v.check((text) => parseSize(text) !== 0, `${expected} above zero`),
  );
}

export function count(min: number, max: number) {
  const expected = `a whole number from ${min} to ${max}`;
  return v.pipe(
    v.number(expected),
    v.integer(expected),
    v.minValue(min, expected),
    v.maxValue(max, expected),
  );
}

const SHARE = /^(?:none|(?:[1-9]\d?|100)%)$/;
const MEMORY = new RegExp(`${SHARE.source}|${SIZE.source}`);

/** `limits` of an action, or of every action of a host. @param about What the descriptions say. */
export function runLimitEntries(about: Readonly<Record<'memory' | 'processes' | 'files', string>>) {
  const memory = 'a size such as 512M or 1 GiB, a share of the machine such as 50%, or none';
  const processes = 'a whole number from 10, a share of what the machine can have such as 15%, or none';
  const files = 'a whole number from 16, or none';
  return {
    memory: v.optional(
      v.pipe(
        v.string(memory),
        v.regex(MEMORY, memory),
        v.check((text) => parseSize(text) !== 0, memory),
        v.description(about.memory),
      ),
    ),
    processes: v.optional(
      v.pipe(
        v.union([count(10, 4_194_304), v.pipe(v.string(processes), v.regex(SHARE, processes))], processes),
        v.description(about.processes),
      ),
    ),
    files: v.optional(
      v.pipe(v.union([count(16, 1_048_576), v.literal('none', files)], files), v.description(about.files)),
    ),
  };
}

interface RunLimitValues {
  readonly memory?: string | undefined;
  readonly processes?: string | number | undefined;
  readonly files?: string | number | undefined;
}

/** undefined when nothing is said. */
export function decideRunLimits(values: RunLimitValues | undefined): RunLimits | undefined {
  const said = Object.entries({
    memory: values?.memory,
    processes: values?.processes,
    files: values?.files,
  }).filter(([, value]) => value !== undefined);
  if (said.length === 0) return undefined;
  return Object.fromEntries(said.map(([key, value]) => [key, decideAmount(value!)])) as RunLimits;
}

function decideAmount(value: string | number): RunLimits['memory'] {
  if (value === 'none') return null;
  if (typeof value === 'number') return value;
  return parseSize(value) ?? (value as `${number}%`);
}

export const flag = v.boolean('true or false');

const FILE = 'the path of a file';

export const file = (text: string) =>
  v.pipe(
    line(FILE),
    v.check((path) => !path.includes('://'), `expected ${FILE}, found a URL`),
    // What stands in the place of a path will be printed when there is no such file.
    v.check(
      (path) => !path.includes(':') && !isToken(path),
      `expected ${FILE}, found what looks like a secret`,
    ),
    v.description(`${text} Absolute, or relative to the folder of host.yaml.`),
  );
