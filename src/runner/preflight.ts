/** Can this be run, and how? Decided before anything is started, so that the note names the cause and not a shell's guess at it. */
import type { Argv } from '../model/action.ts';

/** What `argv[0]` is. */
export interface CommandFacts {
  /** Absolute. */
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'other';
  /** Has any x-bit. */
  readonly executable: boolean;
  /** The first bytes, at most 4,096; empty for a program from the PATH, about which nothing is asked. */
  readonly head: Buffer;
}

/** Questions about the host that may come up. */
export interface HostFacts {
  /** Is there an executable file at this absolute path (or one relative to the tree)? */
  isProgram(path: string): boolean;
  /** The path of a program on the PATH of the run. */
  findProgram(name: string): string | null;
}

export type Preflight =
  | { readonly ok: true; readonly argv: Argv }
  | { readonly ok: false; readonly note: string };

/**
 * @param argv As written in the action.
 * @param facts Of `argv[0]`: of the file in the tree when there is one, of the program on the PATH otherwise; null: nothing is there.
 */
export function preflight(argv: Argv, facts: CommandFacts | null, host: HostFacts): Preflight {
  const [name = '', ...args] = argv;
  if (facts === null) {
    return refuse(
      name.includes('/')
        ? `expected the script ${name} in the tree, found nothing there`
        : `expected ${name} as a file in the tree or a program on the PATH, found neither`,
    );
  }
  if (facts.kind === 'folder') return refuse(`expected a script, found a folder: ${name}`);
  if (facts.kind === 'other') return refuse(`expected a script, found a device, pipe or socket: ${name}`);
  const { head, path } = facts;
  if (head.subarray(0, 3).equals(BYTE_ORDER_MARK)) {
    return refuse(
      `${name} begins with a byte order mark (BOM), so its first line means nothing: save it as UTF-8 without BOM`,
    );
  }
  const shebang = parseShebang(head);
  if (shebang === null) return withoutShebang(name, args, facts);
  if (shebang.crlf) {
    return refuse(
      `CRLF in the shebang line of ${name}: save it with LF line ends, and put "* text=auto eol=lf" into .gitattributes`,
    );
  }
  const missing = missingInterpreter(shebang, host);
  if (missing !== null) return refuse(`the interpreter of ${name} is not on this host: ${missing}`);
  // Without the bit the kernel would refuse; what it would have done is plain enough.
  const through = shebang.argument === null ? [shebang.interpreter] : [shebang.interpreter, shebang.argument];
  return { ok: true, argv: facts.executable ? [path, ...args] : [...through, path, ...args] };
}

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const ELF = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);

function withoutShebang(name: string, args: readonly string[], facts: CommandFacts): Preflight {
  const { head, path } = facts;
  const isBinary = head.subarray(0, 4).equals(ELF) || head.includes(0);
  // A program from the PATH, or a binary: the kernel knows.
  if (facts.executable && (isBinary || head.length === 0)) return { ok: true, argv: [path, ...args] };
  // As every shell does with a text that the kernel does not want to execute.
  if (facts.executable || (name.endsWith('.sh') && !isBinary))
    return { ok: true, argv: ['/bin/sh', path, ...args] };
  return refuse(
    `${name} is not executable, has no shebang line and no name that ends in .sh: git update-index --chmod=+x ${name}`,
  );
}

interface Shebang {
  readonly interpreter: string;
  /** Everything behind it, as one argument: that is what Linux does. */
  readonly argument: string | null;
  readonly crlf: boolean;
}

export function parseShebang(head: Buffer): Shebang | null {
  const line = /^#![ \t]*([^ \t\r\n\0]+)[ \t]*([^\n\0]*)/.exec(head.toString('latin1'));
  if (line === null) return null;
  const rest = line[2]!;
  const crlf = rest.endsWith('\r');
  const argument = Buffer.from(rest.trim(), 'latin1').toString('utf8');
  return {
    interpreter: Buffer.from(line[1]!, 'latin1').toString('utf8'),
    argument: argument === '' ? null : argument,
    crlf,
  };
}

/** @returns what is missing, or null when nothing is (as far as can be told). */
function missingInterpreter(shebang: Shebang, host: HostFacts): string | null {
  if (!host.isProgram(shebang.interpreter)) return shebang.interpreter;
  if (!shebang.interpreter.endsWith('/env') || shebang.argument === null) return null;
  const words = shebang.argument.split(/[ \t]+/);
  if (words[0] === '-S') words.shift();
  while (words[0]?.includes('=')) words.shift();
  const program = words[0];
  if (program === undefined || program.startsWith('-')) return null;
  const found = program.includes('/') ? host.isProgram(program) : host.findProgram(program) !== null;
  return found ? null : `${program} (looked for by ${shebang.interpreter} on the PATH)`;
}

function refuse(note: string): Preflight {
  return { ok: false, note };
}
