/** Can this script be started? The same questions that the runner asks before it starts one. */
import { printable } from '../model/printable.ts';
import type { Finding, LintInput } from './lint.ts';

type ScriptFinding = Pick<Finding, 'severity' | 'message' | 'hint'>;

export function scriptFindings(
  path: string,
  { files, head }: Pick<LintInput, 'files' | 'head'>,
): ScriptFinding[] {
  const name = printable(path, 120);
  const kind = files.get(path);
  if (kind === undefined) return [head(path) === null ? missing(path, name, files) : notAdded(name)];
  if (kind === 'submodule') return [error(`expected a script, found a submodule: ${name}`)];
  const bytes = kind === 'link' ? null : head(path);
  if (bytes === null) return [];
  const start = Buffer.from(bytes.subarray(0, 512)).toString('latin1');
  if (start.startsWith('\xef\xbb\xbf')) {
    return [
      error(
        `${name} begins with a byte order mark (BOM), so its first line means nothing`,
        'save it as UTF-8 without BOM',
      ),
    ];
  }
  const shebang = /^#!([^\n]*)/.exec(start)?.[1];
  if (shebang?.endsWith('\r')) {
    return [
      error(
        `CRLF in the shebang line of ${name}`,
        'save it with LF line ends, and put "* text=auto eol=lf" into .gitattributes',
      ),
    ];
  }
  return whoRunsIt(path, name, {
    shebang,
    isBinary: start.includes('\0'),
    isExecutable: kind === 'executable',
  });
}

function whoRunsIt(
  path: string,
  name: string,
  is: { shebang: string | undefined; isBinary: boolean; isExecutable: boolean },
): ScriptFinding[] {
  const bit = `git update-index --chmod=+x ${name}`;
  const findings: ScriptFinding[] = [];
  const hasRunner = is.shebang !== undefined || (path.endsWith('.sh') && !is.isBinary);
  if (!is.isExecutable) {
    findings.push(
      hasRunner ? warning(`${name} is not executable`, bit) : error(`${name} is not executable`, bit),
    );
  }
  if (is.shebang === undefined && !is.isBinary) {
    findings.push(
      warning(`${name} has no shebang line: /bin/sh will run it`, 'begin it with a line such as #!/bin/sh'),
    );
  }
  return findings;
}

function notAdded(name: string): ScriptFinding {
  return error(
    `expected the script ${name} in the repository, found it only in this folder`,
    `git add ${name}`,
  );
}

function missing(path: string, name: string, files: LintInput['files']): ScriptFinding {
  for (const other of files.keys()) {
    if (other.startsWith(`${path.replace(/\/$/, '')}/`))
      return error(`expected a script, found a folder: ${name}`);
    if (other.toLowerCase() === path.toLowerCase())
      return error(`expected ${name}, found ${printable(other, 120)}`);
  }
  const words = path.split(/\s+/);
  const hint =
    words.length > 1
      ? `a command with arguments is a list: [${words.map((word) => printable(word)).join(', ')}]`
      : null;
  return error(`expected the script ${name}, found no such file`, hint);
}

function error(message: string, hint: string | null = null): ScriptFinding {
  return { severity: 'error', message, hint };
}

function warning(message: string, hint: string | null = null): ScriptFinding {
  return { severity: 'warning', message, hint };
}
