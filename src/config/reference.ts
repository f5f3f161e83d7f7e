/** The files that are made from the schemas: JSON Schemas and reference pages. `node scripts/docs.mjs` writes them. */
import type { JsonSchema } from '@valibot/to-json-schema';
import { hostJsonSchema, hostsJsonSchema, repoJsonSchema } from './json-schema.ts';

/** Path in the package, and content. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const host = hostJsonSchema();
  const repo = repoJsonSchema();
  const hosts = hostsJsonSchema();
  return new Map([
    ['schemas/host.schema.json', `${JSON.stringify(host, null, 2)}\n`],
    ['schemas/repo.schema.json', `${JSON.stringify(repo, null, 2)}\n`],
    ['schemas/hosts.schema.json', `${JSON.stringify(hosts, null, 2)}\n`],
    ['docs/host-yaml.md', renderReference(host, HOST_PAGE)],
    ['docs/pullyu-yaml.md', renderReference(repo, REPO_PAGE)],
    ['docs/hosts-yaml.md', renderReference(hosts, HOSTS_PAGE)],
  ]);
}

interface Page {
  readonly intro: string;
  readonly outro: string;
}

const MADE = '<!-- Made from the schemas in src/config by `node scripts/docs.mjs`. -->';

const UNITS = `Durations are a whole number and a unit: \`500ms\`, \`60s\`, \`10m\`, \`2h\`, \`1d\`. Sizes are a whole number and a unit of 1024:
\`512 KiB\`, \`100 MiB\`, \`8 GiB\`, or \`512K\`, \`100M\`, \`8G\`. Numbers and booleans that stand for a text (a label, a variable, a branch) are taken as they are
written: \`version: 1.10\` is the text \`1.10\`. A key that is not listed here is an error, and so is a key that is written twice.`;

const HOST_PAGE: Page = {
  intro: `The file lies in \`/etc/pullyu/host.yaml\`, with \`--root DIR\` in \`DIR/etc/pullyu/host.yaml\`, and without root rights in
\`~/.config/pullyu/host.yaml\`. All of it is optional; \`pullyu bootstrap URL\` writes it. The agent reads it again when it was changed.

\`\`\`yaml
# yaml-language-server: $schema=schemas/host.schema.json
name: web-17
labels: {part: app, deployment: prod}
interval: 60s
repos:
  it:
    remotes: [https://git.example.com/it.git, https://github.com/example/it.git]
    track: main
\`\`\`

${UNITS}

The first line lets an editor with a YAML language server complete and check keys; it names the file
\`schemas/host.schema.json\` of this package.`,
  outro: `## The convention's layouts

\`convention\` says where scripts lie in a repository without a pullyu.yaml. A repository with a pullyu.yaml does what that file says
and nothing else. \`{label}\` in a path is replaced by the value of the host's label; a path with a label that the host lacks, or whose value
is not a plain name, is left out; a path that does not exist is skipped.

\`classic\` looks for these, in this order:

| when | script | name of the action |
| --- | --- | --- |
| bootstrap | \`bin/init/common/init.sh\` (when it exists, it alone: it includes the others) | \`init-common\` |
| bootstrap | \`bin/init/part/{part}/init.sh\` | \`init-part-<part>\` |
| bootstrap | \`bin/init/stacktype/{stacktype}/init.sh\` | \`init-stacktype-<stacktype>\` |
| bootstrap | \`bin/init/stacktype/{stacktype}/part/{part}/init.sh\` | \`init-stacktype-<stacktype>-part-<part>\` |
| look | \`bin/work/common/work.sh\` | \`work-common\` |
| look | \`bin/work/part/{part}/work.sh\` | \`work-part-<part>\` |
| look | \`bin/work/stack/{stack}/work.sh\` | \`work-stack-<stack>\` |
| look | \`bin/work/stacktype/{stacktype}/work.sh\` | \`work-stacktype-<stacktype>\` |
| look | \`bin/work/stack/{stack}/part/{part}/work.sh\` | \`work-stack-<stack>-part-<part>\` |
| look | \`bin/work/stacktype/{stacktype}/part/{part}/work.sh\` | \`work-stacktype-<stacktype>-part-<part>\` |

\`nodework\` looks for the same two trees under \`it/nodeinit\` and \`bin/nodework\`. An init script runs until its first success and may
take one hour; work waits for it. Work scripts run at every look, each in its own process; one that fails does not hold up the next.
`,
};

const REPO_PAGE: Page = {
  intro: `The file \`pullyu.yaml\` lies in the root of a repository. Without it, the convention's layout is honoured
([host.yaml](host-yaml.md#the-conventions-layouts)).

\`\`\`yaml
# yaml-language-server: $schema=schemas/repo.schema.json
actions:
  shop:
    run: apps/shop/deploy.sh
    hosts: {part: app, deployment: [prod, staging]}
    paths: [apps/shop/**, lib/**]
    timeout: 10m
    after: [java]
  java:
    run: packages/java.sh
  backup:
    run: db/backup.sh
    hosts: {part: db}
    on: [{schedule: "17 3 * * *", tz: Europe/Berlin}]
\`\`\`

${UNITS} \`pullyu lint\` checks a checkout before you push it.`,
  outro: '',
};

const HOSTS_PAGE: Page = {
  intro: `The file \`hosts.yaml\` lies in the root of a repository, beside \`pullyu.yaml\`, and says which hosts there are. Nothing on a host changes because of
it: it is for those who read the presences of others (\`pullyu fleet\`, \`watch\`, the roster that scripts get).

\`\`\`yaml
# yaml-language-server: $schema=schemas/hosts.schema.json
hosts:
  web-1:
    labels: {part: app, deployment: prod}
    keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJlKyUGBjNWS7t+lB4y7ZAQWOD5YTkLFssEpXwAm6Syu web-1]
  web-2: {}
\`\`\`

A host signs what it says about itself with a key of its own, made at \`bootstrap\`. Its public half lies in \`keys/host_ed25519.pub\` of the state folder
(\`/var/lib/pullyu\`); its one line is what belongs here.

| the host | there is no hosts.yaml | hosts.yaml lists it with keys | without keys | does not list it |
| --- | --- | --- | --- | --- |
| signs with the key that is listed | | believed (\`known\`) | | |
| signs with the key that was seen first | believed (\`unlisted\`) | | believed (\`known\`) | |
| signs with another key | \`forged\` | \`forged\` | \`forged\` | \`stranger\` |
| does not sign, or signs for another host | \`forged\` | \`forged\` | \`forged\` | \`forged\` |
| never came | not known | \`absent\` | \`absent\` | |

Nothing of a \`forged\` host or a \`stranger\` is ever used; both are shown. To replace a key, list the new one beside the old one, and remove the old one when the
host uses the new. A host that is listed without a key is open to whoever is first: list its key before it matters.

A value of a label is taken as it is written: \`version: 1.10\` is the text \`1.10\`. A key that is not listed here is an error, and so is a key that is written
twice. The file may have 8 MiB. \`pullyu lint\` checks it before you push it.`,
  outro: '',
};

function renderReference(schema: JsonSchema, page: Page): string {
  const sections = renderKeys(schema, '', 2);
  return [`# ${schema.title}`, MADE, schema.description ?? '', page.intro, ...sections, page.outro]
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .join('\n\n')
    .concat('\n');
}

/** A table of the keys of one mapping, then a section for each of its mappings. */
function renderKeys(schema: JsonSchema, path: string, level: number): string[] {
  const properties = Object.entries(schema.properties ?? {}) as [string, JsonSchema][];
  const required = new Set(schema.required ?? []);
  const rows = properties.map(([key, value]) => {
    const fallback = required.has(key) ? 'required' : value.default === undefined ? '' : code(value.default);
    return `| \`${key}\` | ${typeOf(value)} | ${fallback} | ${describe(value)} |`;
  });
  const table = ['| key | value | default | |', '| --- | --- | --- | --- |', ...rows].join('\n');
  const title = path === '' ? 'Keys' : `\`${path}\``;
  return [
    `${'#'.repeat(level)} ${title}`,
    table,
    ...properties.flatMap(([key, value]) => renderNested(path, key, value, level)),
  ];
}

function renderNested(path: string, key: string, value: JsonSchema, level: number): string[] {
  const at = path === '' ? key : `${path}.${key}`;
  const entry = value.additionalProperties;
  if (typeof entry === 'object' && entry.properties) return renderKeys(entry, `${at}.<name>`, level);
  return value.properties ? renderKeys(value, at, level) : [];
}

function describe(schema: JsonSchema): string {
  const examples = ((schema.examples ?? []) as unknown[]).map(code);
  const text = schema.description ?? '';
  return cell(examples.length === 0 ? text : `${text} Example: ${examples.join(' or ')}`);
}

/** In words: `duration`, `list of text`, `` `agent` or `self` ``. */
function typeOf(schema: JsonSchema): string {
  return cell([...new Set(alternatives(schema))].join(' or '));
}

function alternatives(schema: JsonSchema): string[] {
  if (schema.anyOf) {
    const all = (schema.anyOf as JsonSchema[]).flatMap(alternatives);
    // Numbers and booleans are accepted where a text is meant, and need no word.
    return all.includes('text') ? all.filter((type) => type !== 'number' && type !== 'true or false') : all;
  }
  if (schema.enum) return [(schema.enum as unknown[]).map((value) => `\`${value}\``).join(', ')];
  if (schema.type === 'array') return [`list of ${typeOf((schema.items ?? {}) as JsonSchema)}`];
  if (schema.type === 'object') return ['mapping'];
  if (schema.type === 'boolean') return ['true or false'];
  if (schema.type === 'number' || schema.type === 'integer') return ['number'];
  if (schema.pattern?.includes('(ms|s|m|h|d)')) return ['duration'];
  return [schema.pattern?.includes('(B|KiB') ? 'size' : 'text'];
}

/** As it would be written in YAML's flow style. */
function code(value: unknown): string {
  return `\`${flow(value)}\``;
}

function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, inner]) => `${key}: ${flow(inner)}`)
      .join(', ')}}`;
  }
  return typeof value === 'string' && /[*{]|^[\d* ]+$/.test(value) && /\s|^\d/.test(value)
    ? `"${value}"`
    : String(value);
}

function cell(text: string): string {
  return text.replace(/\|/g, '\\|').replace(/\n/g, ' ');
}
