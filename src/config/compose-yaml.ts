import { Composer, type CST, type Document, LineCounter, Parser, type YAMLParseError } from 'yaml';

/** Complaints kept of one text: nobody reads more, and a megabyte of `]` would be a million of them. */
const COMPLAINTS_MAX = 200;

export interface ComposedYaml {
  readonly document: Document.Parsed;
  readonly complaints: readonly YAMLParseError[];
  /** Where a second document begins (only one is wanted); null when there is none. */
  readonly second: number | null;
  readonly lines: LineCounter;
}

export interface TooDeep {
  readonly tooDeepAt: number;
  readonly lines: LineCounter;
}

/**
 * What `parseDocument` of yaml does, with a bound: its second half calls itself once a level, and a text of brackets takes a
 * process down with it. The first half does not, so the depth is looked at between the two.
 */
export function composeYaml(text: string, depthMax: number): ComposedYaml | TooDeep {
  const lines = new LineCounter();
  const tokens: CST.Token[] = [];
  let errors = 0;
  for (const token of new Parser(lines.addNewLine).parse(text)) {
    const tooDeepAt = findTooDeep(token, depthMax);
    if (tooDeepAt !== null) return { tooDeepAt, lines };
    tokens.push(token);
    if (token.type === 'error') errors += 1;
    if (errors > COMPLAINTS_MAX) break;
  }
  const composer = new Composer({
    uniqueKeys: false, // Ours says where the first one is, and takes linear time.
    prettyErrors: false,
    version: '1.2',
  });
  let document: Document.Parsed | undefined;
  let second: number | null = null;
  for (const composed of composer.compose(tokens, true, text.length)) {
    if (document !== undefined) second = composed.range[0];
    else document = composed;
    if (second !== null) break;
  }
  // With `true` above there is always one, if an empty one.
  const { errors: faults, warnings } = document!;
  return {
    document: document!,
    complaints: [...faults, ...warnings].slice(0, COMPLAINTS_MAX),
    second,
    lines,
  };
}

/** The offset of something nested too deep; null when nothing is. Keeps its own stack, for the reason above. */
function findTooDeep(token: CST.Token, depthMax: number): number | null {
  const open: { token: CST.Token; depth: number }[] = [{ token, depth: 0 }];
  for (let top = open.pop(); top !== undefined; top = open.pop()) {
    const { token, depth } = top;
    if (depth > depthMax) return 'offset' in token ? token.offset : 0;
    if (token.type === 'document' && token.value) open.push({ token: token.value, depth });
    if (!('items' in token)) continue;
    for (const { key, value } of token.items) {
      if (key) open.push({ token: key, depth: depth + 1 });
      if (value) open.push({ token: value, depth: depth + 1 });
    }
  }
  return null;
}
