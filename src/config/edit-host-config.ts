/** Writes host.yaml, or changes some of it: comments, order and everything else stay. */
import { fileURLToPath } from 'node:url';
import { Document, isMap, parseDocument } from 'yaml';
import { PullyuError } from '../errors.ts';

export interface HostEdit {
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly interval?: string;
  readonly nodeinfo?: string;
  readonly repo?: { readonly name: string; readonly remotes: readonly string[] } & Readonly<
    Record<string, unknown>
  >;
}

/** Makes completion and checks work in editors that know the YAML language server. */
function schemaLine(): string {
  return ` yaml-language-server: $schema=${fileURLToPath(new URL('../schemas/host.schema.json', import.meta.url))}`;
}

/**
 * @param text null or empty: a new file.
 * @throws PullyuError `host-config` when the text is no YAML map: it is not touched then.
 */
export function editHostConfig(text: string | null, edit: HostEdit): string {
  const isNew = text === null || text.trim() === '';
  const document = isNew ? new Document({}) : parseDocument(text);
  if (document.errors.length > 0 || !isMap(document.contents)) {
    const [problem] = document.errors;
    throw new PullyuError(
      'host-config',
      `host.yaml cannot be changed: ${problem?.message.split('\n')[0] ?? 'expected a map of settings'}`,
      {
        hint: 'correct it by hand first',
      },
    );
  }
  if (isNew) document.commentBefore = schemaLine();
  for (const key of ['name', 'interval', 'nodeinfo'] as const) {
    if (edit[key] !== undefined) document.setIn([key], edit[key]);
  }
  for (const [key, value] of Object.entries(edit.labels ?? {})) document.setIn(['labels', key], value);
  if (edit.repo !== undefined) {
    const { name, ...settings } = edit.repo;
    for (const [key, value] of Object.entries(settings)) setChanged(document, ['repos', name, key], value);
  }
  return document.toString({ lineWidth: 0 });
}

/** A value that is there already keeps its form and comments. */
function setChanged(document: Document, path: readonly string[], value: unknown): void {
  const node = document.getIn(path, true) as { toJSON?: () => unknown } | undefined;
  if (JSON.stringify(node?.toJSON?.()) === JSON.stringify(value)) return;
  document.setIn(path, document.createNode(value));
}
