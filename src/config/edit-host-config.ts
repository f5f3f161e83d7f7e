/** Writes host.yaml: a new one, or changes in one that a person keeps, with his comments and his order. */
import { Document, isAlias, isCollection, isMap, type Node, parseDocument } from 'yaml';
import type { Labels } from '../model/labels.ts';
import { checkHostText } from './host-config.ts';
import type { HostSettings, RepoSettings } from './host-schema.ts';
import { problemsError } from './problem.ts';
import type { StatusSettings } from './status-schema.ts';

/** Where the schema lies in the package. */
export const HOST_SCHEMA_FILE = 'schemas/host.schema.json';

/** No line is folded: a long URL stays one word. */
const STYLE = { lineWidth: 0, flowCollectionPadding: false } as const;

/**
 * A new host.yaml.
 * @param schema Path or URL of host.schema.json, for the comment by which editors complete and check keys.
 * @throws PullyuError `host-config` when the settings are not valid.
 */
export function formatHostConfig(settings: HostSettings, schema: string = HOST_SCHEMA_FILE): string {
  const document = new Document(JSON.parse(JSON.stringify(settings)), { version: '1.2' });
  putOnOneLine(document.get('labels'));
  for (const name of Object.keys(settings.repos ?? {})) {
    const repo = document.getIn(['repos', name]);
    if (isMap(repo)) for (const pair of repo.items) putOnOneLine(pair.value);
  }
  const body = Object.keys(settings).length === 0 ? '' : document.toString(STYLE);
  return checked(`# yaml-language-server: $schema=${schema.replace(/\s/g, '%20')}\n${body}`, 'host.yaml');
}

export interface HostChange {
  readonly name?: string;
  readonly interval?: string;
  readonly nodeinfo?: string;
  /** Set beside those that are there. */
  readonly labels?: Labels;
  /** Keys set beside those that are there; a repo that is new is added at the end. */
  readonly repos?: Readonly<Record<string, Partial<RepoSettings>>>;
  /** Keys set beside those that are there. */
  readonly status?: Partial<StatusSettings>;
}

/**
 * The text with the change in it; the very same text when it says all of that already.
 * @param file As messages name it.
 * @throws PullyuError `host-config` when the text is not valid, before or after.
 */
export function editHostConfig(text: string, change: HostChange, file = 'host.yaml'): string {
  checked(text, file);
  const document = parseDocument(text, { version: '1.2' });
  const before = document.toString(STYLE);
  if (!isMap(document.contents)) document.contents = document.createNode({}) as never;
  for (const key of ['name', 'interval', 'nodeinfo'] as const) set(document, [key], change[key]);
  for (const [key, value] of Object.entries(change.labels ?? {})) set(document, ['labels', key], value);
  for (const [name, repo] of Object.entries(change.repos ?? {})) {
    for (const [key, value] of Object.entries(repo)) set(document, ['repos', name, key], value);
  }
  for (const [key, value] of Object.entries(change.status ?? {})) set(document, ['status', key], value);
  const after = document.toString(STYLE);
  return after === before ? text : checked(after, file);
}

/** Does nothing when it is there already, so that nobody's way of writing it is changed. */
function set(document: Document, path: readonly string[], value: unknown): void {
  if (value === undefined) return;
  const there = document.getIn(path, true) as Node | undefined;
  if (there !== undefined && JSON.stringify(there.toJS(document)) === JSON.stringify(value)) return;
  for (let length = 1; length < path.length; length += 1) {
    const parent = path.slice(0, length);
    const node = document.getIn(parent, true);
    // What an alias shares with another place is not changed there.
    if (isAlias(node)) document.setIn(parent, node.resolve(document)?.clone());
    // `labels:` with nothing behind it is no mapping yet.
    else if (!isMap(node)) document.setIn(parent, document.createNode({}));
  }
  const parent = document.getIn(path.slice(0, -1));
  if (isMap(parent) && path[0] === 'labels' && parent.items.length === 0) parent.flow = true;
  const node = document.createNode(value) as Node;
  putOnOneLine(node);
  document.setIn(path, node);
}

/** Lists and small mappings as a person would write them. */
function putOnOneLine(node: unknown): void {
  if (isCollection(node)) node.flow = true;
}

function checked(text: string, file: string): string {
  const { problems } = checkHostText(text);
  if (problems.length > 0) throw problemsError('host-config', file, problems);
  return text;
}
