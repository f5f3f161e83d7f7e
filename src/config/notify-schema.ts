/** The `notify` key of host.yaml. */
import * as v from 'valibot';
import type { ChannelConfig, NotifyConfig, TemplateSource, WebChannel } from '../model/host.ts';
import { parseDuration } from './duration.ts';
import { byKey, closed, decideSelector, duration, file, line, selector } from './schema-parts.ts';

const HOUR = 60 * 60_000;

const URL_FORM = 'the URL of a web service, or {urlFile: FILE}';
const urlText = v.pipe(
  line('the URL of a web service', 2048),
  v.check(
    (text) => whatIsWrongWithHook(text) === null,
    (issue) => whatIsWrongWithHook(issue.input) ?? '',
  ),
);
const urlInFile = closed(
  { urlFile: file('A file that holds the URL alone; it is read at each use.') },
  URL_FORM,
);
const url = (text: string) => v.pipe(v.union([urlText, urlInFile], URL_FORM), v.description(text));

const TEMPLATE = 'a template with {text}, or the path of a file';
const template = v.pipe(
  v.string(TEMPLATE),
  v.minLength(1, TEMPLATE),
  v.maxLength(16 * 1024, TEMPLATE),
  v.check(
    (text) => whatIsWrongWithTemplate(text) === null,
    (issue) => whatIsWrongWithTemplate(issue.input) ?? '',
  ),
);

const ADDRESS = 'a mail address such as ops@example.com';
const address = v.pipe(
  v.string(ADDRESS),
  // No option of a program, no list, nothing that a header could be made of.
  v.regex(
    /^[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}(?:@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?)?$/,
    ADDRESS,
  ),
);

const CHANNEL = 'a mapping with webhook, slack, mattermost, ntfy, script or mail';
const level = v.optional(
  v.pipe(
    v.picklist(['critical', 'chatty'], 'critical or chatty'),
    v.description('`critical`: only troubles that need somebody. `chatty`: everything.'),
  ),
  'critical',
);
const web = {
  tokenFile: v.optional(file('A file with an access token, sent as `Authorization: Bearer`.')),
  headersFile: v.optional(file('A file with more headers, lines `Name: value`.')),
  ca: v.optional(file('The certificates of the authorities that are trusted, in PEM form.')),
  level,
};

const webhook = closed(
  {
    webhook: url('A message is sent there by POST.'),
    template: v.optional(
      v.pipe(
        template,
        v.description(
          'The body: {text}, {lines}, {level}, {host} and {at} stand in JSON strings, {json} is the whole message. Without a brace it is the path of a file. Absent: {json}.',
        ),
        v.examples(['{"title": "{level}", "message": "{text}"}']),
      ),
    ),
    ...web,
  },
  CHANNEL,
);
const slack = closed(
  { slack: url('An incoming webhook of Slack, or of what understands its messages.'), ...web },
  CHANNEL,
);
const mattermost = closed({ mattermost: url('An incoming webhook of Mattermost.'), ...web }, CHANNEL);
const ntfy = closed(
  { ntfy: url('A topic of an ntfy server: https://ntfy.example.com/topic.'), ...web },
  CHANNEL,
);
const script = closed(
  {
    script: v.pipe(
      line('the path of a program'),
      v.description(
        'A program of this host that gets the message as JSON on standard input. At most 30 seconds. Absolute, or relative to the folder of host.yaml.',
      ),
    ),
    level,
  },
  CHANNEL,
);
const MAIL = 'a mail address, or a list of them';
const mail = closed(
  {
    mail: v.pipe(
      v.union([address, v.pipe(v.array(address, MAIL), v.minLength(1, MAIL), v.maxLength(50, MAIL))], MAIL),
      v.description('Sent by the `sendmail` of this host.'),
      v.examples(['ops@example.com']),
    ),
    level,
  },
  CHANNEL,
);

const channels = { webhook, slack, mattermost, ntfy, script, mail };
const channel = byKey(
  v.union([webhook, slack, mattermost, ntfy, script, mail], CHANNEL),
  channels,
  v.custom<never>(() => false, CHANNEL),
);

export const notifySchema = closed(
  {
    from: v.pipe(
      selector,
      v.description(
        'Labels of the hosts that may send. One of them does; when it is gone, another one. All of them need the same `notify`.',
      ),
      v.examples([{ part: 'control' }]),
    ),
    hold: v.optional(
      v.pipe(duration(100, 24 * HOUR), v.description('What does not last for so long is not told.')),
      '2m',
    ),
    channels: v.pipe(
      v.array(channel, 'a list of channels'),
      v.minLength(1, 'at least one channel'),
      v.maxLength(20, 'at most 20 channels'),
      v.description('Where messages go.'),
      v.examples([
        [
          { slack: { urlFile: '/etc/pullyu/slack-url' }, level: 'critical' },
          { mail: 'ops@example.com', level: 'chatty' },
        ],
      ]),
    ),
  },
  'a mapping with from and channels',
);

/** No answer repeats the URL: it may be a secret. */
function whatIsWrongWithHook(text: string): string | null {
  const expected = 'expected a URL such as https://hooks.example.com/path';
  const parsed = URL.canParse(text) ? new URL(text) : null;
  if (parsed === null || parsed.hostname === '' || /\s/.test(text)) return `${expected}, found none`;
  if (parsed.protocol !== 'https:' && parsed.protocol !== 'http:') return `${expected}, found another scheme`;
  if (parsed.username !== '' || parsed.password !== '')
    return `${expected}, found one with a user or password; put them into the file that \`headersFile\` names`;
  return null;
}

const FIELD = /\{([a-z]+)\}/g;
const FIELDS = ['text', 'lines', 'level', 'host', 'at', 'json'];

function whatIsWrongWithTemplate(text: string): string | null {
  if (!text.includes('{')) return /[\p{Cc}]/u.test(text) ? `expected ${TEMPLATE}, found several lines` : null;
  const unknown = [...text.matchAll(FIELD)].find(([, field]) => !FIELDS.includes(field!));
  return unknown === undefined
    ? null
    : `expected ${FIELDS.map((field) => `{${field}}`).join(', ')}, found another field`;
}

type Path = (text: string | undefined) => string | null;
type ChannelValues = v.InferOutput<typeof notifySchema>['channels'][number];

export function decideNotify(values: v.InferOutput<typeof notifySchema>, path: Path): NotifyConfig {
  return {
    from: decideSelector(values.from),
    holdMs: parseDuration(values.hold)!,
    channels: values.channels.map((one) => decideChannel(one, path)),
  };
}

function decideChannel(values: ChannelValues, path: Path): ChannelConfig {
  const { level: at } = values;
  if ('script' in values) return { kind: 'script', level: at, program: path(values.script)! };
  if ('mail' in values) return { kind: 'mail', level: at, to: [values.mail].flat() };
  if ('webhook' in values) {
    const source = values.template === undefined ? null : decideTemplate(values.template, path);
    return { kind: 'webhook', level: at, template: source, ...decideWeb(values.webhook, values, path) };
  }
  if ('slack' in values) return { kind: 'slack', level: at, ...decideWeb(values.slack, values, path) };
  if ('mattermost' in values)
    return { kind: 'mattermost', level: at, ...decideWeb(values.mattermost, values, path) };
  return { kind: 'ntfy', level: at, ...decideWeb(values.ntfy, values, path) };
}

function decideTemplate(text: string, path: Path): TemplateSource {
  return text.includes('{') ? { text } : { file: path(text)! };
}

function decideWeb(
  where: string | { readonly urlFile: string },
  {
    tokenFile,
    headersFile,
    ca,
  }: { tokenFile?: string | undefined; headersFile?: string | undefined; ca?: string | undefined },
  path: Path,
): WebChannel {
  return {
    url: typeof where === 'string' ? where : null,
    urlFile: typeof where === 'string' ? null : path(where.urlFile),
    tokenFile: path(tokenFile),
    headersFile: path(headersFile),
    tlsCa: path(ca),
  };
}
