/** YAML with positions, under limits: what the text says, and where. */
import { isAlias, isMap, isScalar, isSeq, type Node, type Pair } from 'yaml';
import { composeYaml } from './compose-yaml.ts';
import { CONFIG_MAX_BYTES } from './limits.ts';
import type { Problem } from './problem.ts';
import { shown } from './shown.ts';

export type KeyPath = readonly (string | number)[];

export interface YamlText {
  /** Plain data; mappings have no prototype, and a key without a value has the value undefined. */
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** False: the text could not be read, `value` says nothing. */
  readonly readable: boolean;
  /** Where this value (or its key) is written; of something missing: where its nearest parent is. */
  at(path: KeyPath, what?: 'key' | 'value'): { line: number; column: number };
}

export interface YamlLimits {
  readonly maxBytes: number;
  readonly maxValues: number;
}

const LIMITS: YamlLimits = { maxBytes: CONFIG_MAX_BYTES, maxValues: 100_000 };
const DEPTH_MAX = 20;
/** More than anybody reads: what follows is not looked at. */
const PROBLEMS_MAX = 1_000;
const TOO_DEEP = `expected at most ${DEPTH_MAX} levels, found more`;

/**
 * Never throws. Aliases count as often as they are used, so that a few lines cannot become a billion values.
 * @param isText Where numbers and booleans are meant as they are written: a label `1.10` is not the number 1.1.
 */
export function readYaml(
  input: string | Uint8Array,
  isText: (path: KeyPath) => boolean,
  limits: YamlLimits = LIMITS,
): YamlText {
  const decoded = decode(input, limits.maxBytes);
  if ('problem' in decoded) return unreadable([decoded.problem]);
  // Before it is parsed, which costs seconds: no value stands without a mark beside it.
  if (hasMoreMarks(decoded.text, MARKS_PER_VALUE * limits.maxValues)) {
    const message = `expected at most ${limits.maxValues} values, found more`;
    return unreadable([{ line: 1, column: 1, message }]);
  }
  const composed = composeYaml(decoded.text, DEPTH_MAX);
  const at = (offset: number) => {
    const { line, col } = composed.lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  if ('tooDeepAt' in composed) return unreadable([{ ...at(composed.tooDeepAt), message: TOO_DEEP }]);
  const { document, complaints, second } = composed;
  if (complaints.length > 0) {
    return unreadable(
      complaints.map((e) => ({ ...at(e.pos[0]), message: explainSyntax(e.message, decoded.text, e.pos[0]) })),
    );
  }
  if (second !== null) {
    return unreadable([
      { ...at(second), message: 'expected one YAML document, found another that begins here' },
    ]);
  }
  if (document.directives.yaml.version !== '1.2') {
    return unreadable([
      { line: 1, column: 1, message: 'expected YAML 1.2, found a directive for another version' },
    ]);
  }
  const walker = new Walker(isText, at, limits.maxValues);
  const value = walker.walk(document.contents, [], 0);
  return {
    value,
    problems: walker.problems,
    readable: !walker.stopped,
    at: (path, what = 'value') => at(walker.offsetOf(path, what)),
  };
}

/** Generous: text and comments have some too. */
const MARKS_PER_VALUE = 4;

function hasMoreMarks(text: string, most: number): boolean {
  let found = 0;
  for (let at = 0; at < text.length; at += 1) {
    const mark = text.charCodeAt(at);
    // Newline, comma, colon. What only opens levels is stopped by their number.
    if (mark === 10 || mark === 44 || mark === 58) found += 1;
    if (found > most) return true;
  }
  return false;
}

function unreadable(problems: readonly Problem[]): YamlText {
  return { value: undefined, problems, readable: false, at: () => ({ line: 1, column: 1 }) };
}

function decode(input: string | Uint8Array, maxBytes: number): { text: string } | { problem: Problem } {
  const bytes = typeof input === 'string' ? Buffer.byteLength(input) : input.length;
  if (bytes > maxBytes) {
    const most = `${maxBytes / 1024 / 1024} MiB`;
    return { problem: { line: 1, column: 1, message: `expected at most ${most}, found ${bytes} bytes` } };
  }
  if (typeof input === 'string') return { text: input.replace(/^\uFEFF/, '') };
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(input) };
  } catch {
    return { problem: { ...firstBadByte(input), message: 'expected UTF-8, found bytes that are not' } };
  }
}

function firstBadByte(bytes: Uint8Array): { line: number; column: number } {
  const valid = Buffer.from(bytes).toString('utf8').split('\uFFFD', 1)[0]!.split('\n');
  return { line: valid.length, column: valid.at(-1)!.length + 1 };
}

/** The parser's own words, and what was probably meant. */
function explainSyntax(message: string, text: string, offset: number): string {
  const start = text.lastIndexOf('\n', Math.max(0, offset - 1)) + 1;
  const line = text.slice(start, start + 200).split('\n', 1)[0]!;
  const words = shown(message.replace(/\s+/g, ' ').trim());
  if (/\btrack:\s*tag:/.test(line)) return `${words}; write the rule as {tag: v*}`;
  return words;
}

class Walker {
  readonly problems: Problem[] = [];
  stopped = false;
  private readonly isText: (path: KeyPath) => boolean;
  private readonly at: (offset: number) => { line: number; column: number };
  private readonly offsets = new Map<string, { key: number; value: number }>();
  private readonly anchors = new Map<string, Node>();
  private readonly open = new Set<Node>();
  private readonly maxValues: number;
  private count = 0;

  constructor(
    isText: (path: KeyPath) => boolean,
    at: (offset: number) => { line: number; column: number },
    maxValues: number,
  ) {
    this.isText = isText;
    this.at = at;
    this.maxValues = maxValues;
  }

  offsetOf(path: KeyPath, what: 'key' | 'value'): number {
    for (let length = path.length; length >= 0; length -= 1) {
      const found = this.offsets.get(JSON.stringify(path.slice(0, length)));
      if (found) return length === path.length && what === 'value' ? found.value : found.key;
    }
    return 0;
  }

  walk(node: unknown, path: KeyPath, keyOffset: number): unknown {
    const offset = (node as Node | null)?.range?.[0] ?? keyOffset;
    this.offsets.set(JSON.stringify(path), { key: keyOffset, value: isEmpty(node) ? keyOffset : offset });
    if (this.stopped) return undefined;
    this.count += 1;
    if (this.count > this.maxValues)
      return this.stop(offset, `expected at most ${this.maxValues} values, found more`);
    if (path.length > DEPTH_MAX) return this.stop(offset, TOO_DEEP);
    if (isAlias(node)) return this.walkAlias(node.source, path, offset);
    const { anchor } = (node ?? {}) as { anchor?: string };
    if (anchor !== undefined) this.anchors.set(anchor, node as Node);
    if (isScalar(node)) return this.scalar(node, path);
    if (isSeq(node))
      return this.within(node, () =>
        node.items.map((item, i) =>
          this.walk(item, [...path, i], (item as Node | null)?.range?.[0] ?? offset),
        ),
      );
    if (isMap(node)) return this.within(node, () => this.mapping(node.items, path));
    return undefined;
  }

  private scalar(node: { value: unknown; source?: string }, path: KeyPath): unknown {
    if (node.value === null) return undefined;
    return typeof node.value !== 'string' && this.isText(path)
      ? (node.source ?? String(node.value))
      : node.value;
  }

  private walkAlias(name: string, path: KeyPath, offset: number): unknown {
    const target = this.anchors.get(name);
    if (target !== undefined && !this.open.has(target)) return this.walk(target, path, offset);
    this.problem(offset, `expected an anchor with a value, found *${shown(name, 60)} inside of itself`);
    return undefined;
  }

  private mapping(pairs: readonly Pair[], path: KeyPath): unknown {
    const value: Record<string, unknown> = Object.create(null);
    for (const pair of pairs) {
      if (this.stopped) break;
      const offset = (pair.key as Node | null)?.range?.[0] ?? 0;
      const key = isScalar(pair.key) ? (pair.key.source ?? String(pair.key.value ?? '')) : '';
      if (key === '') {
        this.problem(
          offset,
          `expected a plain word as key, found ${isScalar(pair.key) ? 'none' : 'something else'}`,
        );
      } else if (Object.hasOwn(value, key)) {
        const first = this.at(this.offsetOf([...path, key], 'key'));
        this.problem(
          offset,
          `expected each key once, found "${shown(key, 60)}" again (first in line ${first.line})`,
        );
      } else if (key in Object.prototype) {
        this.problem(offset, `unknown key "${shown(key, 60)}"`);
      } else {
        value[key] = this.walk(pair.value, [...path, key], offset);
      }
    }
    return value;
  }

  private within<T>(node: Node, inside: () => T): T {
    this.open.add(node);
    const value = inside();
    this.open.delete(node);
    return value;
  }

  private stop(offset: number, message: string): undefined {
    this.stopped = true;
    this.problem(offset, message);
    return undefined;
  }

  private problem(offset: number, message: string): void {
    this.problems.push({ ...this.at(offset), message });
    if (this.problems.length >= PROBLEMS_MAX) this.stopped = true;
  }
}

function isEmpty(node: unknown): boolean {
  return !node || (isScalar(node) && node.value === null && (node.source ?? '') === '');
}
