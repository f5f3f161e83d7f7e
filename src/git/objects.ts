/** Git's own objects, made and read without git: bytes in, bytes out. Pure. */
import { createHash } from 'node:crypto';

export type ObjectFormat = 'sha1' | 'sha256';
export type ObjectType = 'commit' | 'tree' | 'blob' | 'tag';

export interface GitObject {
  readonly type: ObjectType;
  readonly data: Buffer;
}

/** By their ids. */
export type GitObjects = ReadonlyMap<string, GitObject>;

export interface CommitParts {
  readonly tree: string;
  readonly parents: readonly string[];
  readonly name: string;
  readonly email: string;
  /** Milliseconds since 1970; a commit keeps seconds. */
  readonly at: number;
  readonly message: string;
}

export interface ParsedCommit {
  readonly tree: string;
  readonly parents: readonly string[];
  /** Of the author, milliseconds since 1970. */
  readonly at: number;
  readonly subject: string;
}

/** Hex digits of an id. */
export function idLength(format: ObjectFormat): 40 | 64 {
  return format === 'sha256' ? 64 : 40;
}

/** The id of no object: what a push calls a ref that is not there. */
export function noObject(format: ObjectFormat): string {
  return '0'.repeat(idLength(format));
}

export function objectId(format: ObjectFormat, { type, data }: GitObject): string {
  return createHash(format).update(`${type} ${data.length}\0`).update(data).digest('hex');
}

/** Collects objects under their ids: the same content is there once. */
export function createObjectSet(format: ObjectFormat) {
  const objects = new Map<string, GitObject>();
  const add = (type: ObjectType, data: Buffer): string => {
    const id = objectId(format, { type, data });
    objects.set(id, { type, data });
    return id;
  };
  return {
    objects: objects as GitObjects,
    /** @returns the id of the commit. */
    addCommit: (parts: CommitParts): string => add('commit', formatCommit(parts)),
    /** @param files Content by path; folders are made. @returns the id of the tree. */
    addTree: (files: ReadonlyMap<string, Buffer>): string => addTree(files, add),
  };
}

export type ObjectSet = ReturnType<typeof createObjectSet>;

interface Entry {
  readonly mode: '100644' | '40000';
  readonly id: string;
}

function addTree(
  files: ReadonlyMap<string, Buffer>,
  add: (type: ObjectType, data: Buffer) => string,
): string {
  const entries = new Map<string, Entry>();
  const folders = new Map<string, Map<string, Buffer>>();
  for (const [path, content] of files) {
    const slash = path.indexOf('/');
    if (slash === -1) {
      entries.set(path, { mode: '100644', id: add('blob', content) });
      continue;
    }
    const name = path.slice(0, slash);
    const inner = folders.get(name) ?? new Map<string, Buffer>();
    inner.set(path.slice(slash + 1), content);
    folders.set(name, inner);
  }
  for (const [name, inner] of folders) entries.set(name, { mode: '40000', id: addTree(inner, add) });
  // Git orders a folder as if its name ended with a slash.
  const key = ([name, entry]: [string, Entry]) => Buffer.from(entry.mode === '40000' ? `${name}/` : name);
  const sorted = [...entries].sort((a, b) => Buffer.compare(key(a), key(b)));
  const parts = sorted.flatMap(([name, { mode, id }]) => [
    Buffer.from(`${mode} ${name}\0`),
    Buffer.from(id, 'hex'),
  ]);
  return add('tree', Buffer.concat(parts));
}

function formatCommit(parts: CommitParts): Buffer {
  const who = `${identity(parts.name)} <${identity(parts.email)}> ${Math.max(0, Math.floor(parts.at / 1_000))} +0000`;
  const lines = [
    `tree ${parts.tree}`,
    ...parts.parents.map((parent) => `parent ${parent}`),
    `author ${who}`,
    `committer ${who}`,
    '',
    `${parts.message.replaceAll('\0', '').trimEnd()}\n`,
  ];
  return Buffer.from(lines.join('\n'));
}

/** What git allows in a name or address. */
function identity(text: string): string {
  return text.replace(/[\p{Cc}<>]/gu, '').trim() || 'unknown';
}

/** null: these bytes are no commit. */
export function parseCommit(data: Buffer): ParsedCommit | null {
  const text = data.toString('utf8');
  const end = text.indexOf('\n\n');
  const head = end === -1 ? text : text.slice(0, end);
  const tree = /^tree ([0-9a-f]{40,64})$/m.exec(head)?.[1];
  const seconds = /^author .*> (-?\d{1,15}) [+-]\d{4}$/m.exec(head)?.[1];
  if (tree === undefined || seconds === undefined) return null;
  const parents = [...head.matchAll(/^parent ([0-9a-f]{40,64})$/gm)].map((match) => match[1]!);
  const message = end === -1 ? '' : text.slice(end + 2);
  return { tree, parents, at: Number(seconds) * 1_000, subject: message.split('\n', 1)[0]! };
}

/** Ids by name: files, and folders with `isFolder`. null: these bytes are no tree. */
export function parseTree(
  data: Buffer,
  format: ObjectFormat,
): Map<string, { id: string; isFolder: boolean }> | null {
  const bytes = idLength(format) / 2;
  const entries = new Map<string, { id: string; isFolder: boolean }>();
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(0x20, at);
    const end = data.indexOf(0, space + 1);
    if (space === -1 || end === -1 || end + 1 + bytes > data.length) return null;
    const mode = data.toString('latin1', at, space);
    const name = data.toString('utf8', space + 1, end);
    at = end + 1 + bytes;
    const isFolder = mode === '40000';
    // Links and modules are nothing to us.
    if (isFolder || mode.startsWith('100'))
      entries.set(name, { id: data.toString('hex', end + 1, at), isFolder });
  }
  return entries;
}
