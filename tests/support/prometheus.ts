/** A strict reader of Prometheus' text format (version 0.0.4), as its exposition format is documented. */

export interface ParsedMetrics {
  /** By name with its labels as written. */
  readonly values: ReadonlyMap<string, number>;
  readonly types: ReadonlyMap<string, string>;
  /** Of each sample, by name. */
  readonly labels: ReadonlyMap<string, readonly Readonly<Record<string, string>>[]>;
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (-?\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?)$`, 's');
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,(?=.)|$)/s;

/** @throws Error about the first line that is not well formed, a family that comes twice, a sample that comes twice. */
export function parseMetrics(text: string): ParsedMetrics {
  if (!text.endsWith('\n')) throw new Error('expected a line feed at the end');
  const values = new Map<string, number>();
  const types = new Map<string, string>();
  const helps = new Set<string>();
  const labels = new Map<string, Record<string, string>[]>();
  let family = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const wrong = (what: string) => new Error(`${what}: ${JSON.stringify(line)}`);
    const help = new RegExp(`^# HELP (${NAME}) ([^\\\\]+)$`).exec(line);
    const type = new RegExp(`^# TYPE (${NAME}) (counter|gauge)$`).exec(line);
    if (help !== null) {
      if (helps.has(help[1]!)) throw wrong('a second HELP');
      helps.add(help[1]!);
      continue;
    }
    if (type !== null) {
      family = type[1]!;
      if (types.has(family)) throw wrong('a second TYPE');
      if (!helps.has(family)) throw wrong('no HELP before');
      if ((type[2] === 'counter') !== family.endsWith('_total')) throw wrong('a counter ends with _total');
      types.set(family, type[2]!);
      continue;
    }
    const sample = SAMPLE.exec(line);
    if (sample === null) throw wrong('no sample');
    const [, name = '', inner = '', value = ''] = sample;
    if (name !== family) throw wrong(`not of the family ${family}`);
    const key = line.slice(0, line.lastIndexOf(' '));
    if (values.has(key)) throw wrong('a sample that was there before');
    values.set(key, Number(value));
    labels.set(name, [...(labels.get(name) ?? []), parseLabels(inner, wrong)]);
  }
  return { values, types, labels };
}

function parseLabels(text: string, wrong: (what: string) => Error): Record<string, string> {
  const found: [string, string][] = [];
  for (let rest = text; rest !== ''; ) {
    const label = LABEL.exec(rest);
    if (label === null) throw wrong('no label');
    found.push([label[1]!, unescapeLabel(label[2]!)]);
    rest = rest.slice(label[0].length);
  }
  if (new Set(found.map(([key]) => key)).size !== found.length) throw wrong('a label that comes twice');
  return Object.fromEntries(found);
}

function unescapeLabel(text: string): string {
  return text.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
}
