/** What git prints about trees with `-z`, as values. Names stay bytes until somebody needs text. */

export interface TreeEntry {
  /** Six octal digits: 100644, 100755, 120000 (symbolic link), 160000 (submodule), 040000 (folder). */
  readonly mode: string;
  readonly oid: string;
  readonly path: Buffer;
  /** Bytes of a blob; null when it was not asked for, or is no blob. */
  readonly size: number | null;
}

export interface TreeChange {
  readonly before: { readonly mode: string; readonly oid: string } | null;
  readonly after: { readonly mode: string; readonly oid: string } | null;
  readonly path: Buffer;
}

const NO_MODE = '000000';

/** `ls-tree -z`, with or without `-l`. @throws SyntaxError for anything else. */
export function parseTree(output: Buffer): TreeEntry[] {
  return [...fields(output)].map((record) => {
    const tab = record.indexOf(0x09);
    const match = /^(\d{6}) [a-z]+ ([0-9a-f]{40,64})(?: +(\d+|-))?$/.exec(record.toString('latin1', 0, tab));
    if (tab === -1 || !match) throw unexpected('ls-tree', record);
    const [, mode = '', oid = '', size] = match;
    return {
      mode,
      oid,
      path: record.subarray(tab + 1),
      size: size === undefined || size === '-' ? null : Number(size),
    };
  });
}

/** `diff-tree -r -z --raw --no-renames`. @throws SyntaxError for anything else. */
export function parseChanges(output: Buffer): TreeChange[] {
  const changes: TreeChange[] = [];
  const all = fields(output);
  for (let head = all.next(); !head.done; head = all.next()) {
    const match = /^:(\d{6}) (\d{6}) ([0-9a-f]{40,64}) ([0-9a-f]{40,64}) [A-Z]\d*$/.exec(
      head.value.toString('latin1'),
    );
    const path = all.next();
    if (!match || path.done) throw unexpected('diff-tree', head.value);
    const [, modeBefore = '', modeAfter = '', before = '', after = ''] = match;
    changes.push({
      before: modeBefore === NO_MODE ? null : { mode: modeBefore, oid: before },
      after: modeAfter === NO_MODE ? null : { mode: modeAfter, oid: after },
      path: path.value,
    });
  }
  return changes;
}

/** Names of a `-z` list. */
export function parseNames(output: Buffer): Buffer[] {
  return [...fields(output)];
}

function* fields(output: Buffer): Generator<Buffer, undefined, undefined> {
  let start = 0;
  while (start < output.length) {
    const end = output.indexOf(0, start);
    if (end === -1) throw unexpected('git', output.subarray(start));
    yield output.subarray(start, end);
    start = end + 1;
  }
}

function unexpected(command: string, record: Buffer): SyntaxError {
  return new SyntaxError(
    `unexpected output of ${command}: ${JSON.stringify(record.toString('latin1').slice(0, 100))}`,
  );
}
