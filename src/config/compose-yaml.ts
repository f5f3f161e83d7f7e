import { Composer, type CST, type Document, Lexer, LineCounter, Parser, type YAMLParseError } from 'yaml';

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
 * What `parseDocument` of yaml does, with a bound: its last step calls itself once a level, so that a text of brackets takes a
 * process down with it. The step before, from words to tokens, keeps a stack of its own, whose height is looked at.
 */
export function composeYaml(text: string, depthMax: number): ComposedYaml | TooDeep {
  // Each complaint is an Error; where it was made interests nobody, and finding that out is most of the cost of a text full of faults.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return compose(text, depthMax);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function compose(text: string, depthMax: number): ComposedYaml | TooDeep {
  const lines = new LineCounter();
  lines.addNewLine(0);
  const parsed = parseTokens(text, lines, depthMax);
  if (!Array.isArray(parsed)) return { ...parsed, lines };
  const composer = new Composer({
    uniqueKeys: false, // Ours says where the first one is, and takes linear time.
    prettyErrors: false,
    version: '1.2',
  });
  let document: Document.Parsed | undefined;
  let second: number | null = null;
  for (const composed of composer.compose(parsed, true, text.length)) {
    if (document !== undefined) second = composed.range[0];
    else document = composed;
    if (second !== null) break;
  }
  // With `true` above there is always one, if an empty one.
  const { errors, warnings } = document!;
  return {
    document: document!,
    complaints: [...errors, ...warnings].slice(0, COMPLAINTS_MAX),
    second,
    lines,
  };
}

function parseTokens(
  text: string,
  lines: LineCounter,
  depthMax: number,
): CST.Token[] | { tooDeepAt: number } {
  const parser = new Parser(lines.addNewLine);
  const { stack } = parser as unknown as { readonly stack: readonly CST.Token[] };
  const tokens: CST.Token[] = [];
  let offset = 0;
  let errors = 0;
  for (const word of new Lexer().lex(text)) {
    for (const token of parser.next(word)) {
      tokens.push(token);
      if (token.type === 'error') errors += 1;
    }
    // The document itself and the value that is being read are on the stack too.
    if (stack.length > depthMax + 2) return { tooDeepAt: Math.min(offset, text.length) };
    if (errors > COMPLAINTS_MAX) break;
    offset += word.length;
  }
  tokens.push(...parser.end());
  return tokens;
}
