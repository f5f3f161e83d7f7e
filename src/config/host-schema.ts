/** host.yaml: the one description of its keys. The parser, the JSON Schema and the reference page are made from it. */
import * as v from 'valibot';
import { formatDuration } from './duration.ts';
import { defaultLimits, defaultRunLimits } from './limits.ts';
import { metricsSchema } from './metrics-schema.ts';
import { notifySchema } from './notify-schema.ts';
import { whatIsWrongWithProxy, whatIsWrongWithRemote } from './remote.ts';
import {
  asWritten,
  closed,
  count,
  duration,
  file,
  flag,
  labelKey,
  labelValue,
  line,
  name,
  namedMap,
  runLimitEntries,
  size,
} from './schema-parts.ts';
import { formatSize } from './size.ts';
import { statusSchema } from './status-schema.ts';
import { parseTrack, whatIsWrongWithTrack } from './track.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

const remote = v.pipe(
  v.string('the URL of a git repository'),
  v.check(
    (text) => whatIsWrongWithRemote(text) === null,
    (issue) => whatIsWrongWithRemote(issue.input) ?? '',
  ),
);

const TRACK = 'a branch, a tag, a commit id or {tag: v*}';
const TAG = 'a pattern of tags such as v*';
const tag = v.pipe(
  v.string(TAG),
  v.check(
    (text) => whatIsWrongWithTrack({ tag: text }) === null,
    (issue) => whatIsWrongWithTrack({ tag: issue.input }) ?? '',
  ),
);
const tagRule = closed(
  {
    tag: v.pipe(
      asWritten(tag, TAG),
      v.description('A pattern of tag names; the tag with the highest semantic version is taken.'),
    ),
  },
  TRACK,
);
const track = v.union(
  [
    asWritten(
      v.pipe(
        v.string(TRACK),
        v.check(
          (text) => whatIsWrongWithTrack(parseTrack(text)) === null,
          (issue) => whatIsWrongWithTrack(parseTrack(issue.input)) ?? '',
        ),
      ),
      TRACK,
    ),
    tagRule,
  ],
  TRACK,
);

const TEMPLATE = 'a path inside the repository such as bin/work/part/{part}/work.sh';
const template = v.pipe(
  line(TEMPLATE, 1024),
  v.check((path) => !path.startsWith('/') && !path.split('/').includes('..'), TEMPLATE),
);
const CONVENTION = 'classic, nodework or {init: [...], work: [...]}';
const convention = v.union(
  [
    v.picklist(['classic', 'nodework'], CONVENTION),
    closed(
      {
        init: v.optional(
          v.pipe(
            v.array(template, 'a list of paths'),
            v.maxLength(50, 'at most 50 paths'),
            v.description(
              'Scripts for the bootstrap, most general first. When the first exists, it alone is called.',
            ),
          ),
          [],
        ),
        work: v.optional(
          v.pipe(
            v.array(template, 'a list of paths'),
            v.maxLength(50, 'at most 50 paths'),
            v.description('Scripts for every look, most general first. Every one that exists is called.'),
          ),
          [],
        ),
      },
      CONVENTION,
    ),
  ],
  CONVENTION,
);

const repo = closed(
  {
    remotes: v.pipe(
      v.array(remote, 'a list of URLs'),
      v.minLength(1, 'at least one URL'),
      v.maxLength(16, 'at most 16 URLs'),
      v.description(
        'Where the repository is, in order: the first that answers is used. http, https, ssh, git and file URLs, user@host:path, or an absolute path. Never with a user and password.',
      ),
      v.examples([['https://git.example.com/it.git', 'https://github.com/example/it.git']]),
    ),
    track: v.optional(
      v.pipe(
        track,
        v.description(
          'What this host follows: a branch, a tag (refs/tags/v1), a commit id, or {tag: v*} for the highest semantic version among the tags of that pattern. {label} is replaced by the value of that label.',
        ),
        v.examples(['main', 'deploy/{deployment}', { tag: 'v*' }]),
      ),
      'main',
    ),
    pull: v.optional(
      v.pipe(
        v.picklist(['agent', 'self'], 'agent or self'),
        v.description('`self`: the work script of the repository pulls by itself; the agent only calls it.'),
      ),
      'agent',
    ),
    clone: v.optional(
      v.pipe(
        v.picklist(['full', 'blobless'], 'full or blobless'),
        v.description(
          '`blobless` fetches the content of files only when it is needed: for large repositories.',
        ),
      ),
      'full',
    ),
    submodules: v.optional(v.pipe(flag, v.description('Check out submodules.')), false),
    lfs: v.optional(
      v.pipe(flag, v.description('Fetch the files that git LFS keeps. Needs git-lfs on the host.')),
      false,
    ),
    convention: v.optional(
      v.pipe(
        convention,
        v.description(
          'Where scripts lie when the repository has no pullyu.yaml. `classic`: bin/init and bin/work; `nodework`: it/nodeinit and bin/nodework; or your own paths with {label} in them.',
        ),
        v.examples(['nodework', { init: [], work: ['work/{part}.sh'] }]),
      ),
      'classic',
    ),
    credentials: v.optional(
      file(
        'A file with the user and password for http(s): a line https://user:password@host, or lines username= and password=, or one token. Read at each use.',
      ),
    ),
    credentialHelper: v.optional(
      v.pipe(
        line('a git credential helper'),
        v.description("A credential helper, as git's credential.helper takes it."),
      ),
    ),
    ssh: v.optional(
      v.pipe(
        closed(
          {
            key: v.optional(file('The private key.')),
            knownHosts: v.optional(file('The host keys that are accepted.')),
          },
          'a mapping with key and knownHosts',
        ),
        v.description('For ssh remotes.'),
      ),
    ),
    tls: v.optional(
      v.pipe(
        closed(
          {
            ca: v.optional(file('The certificates of the authorities that are trusted, in PEM form.')),
            cert: v.optional(file('The client certificate, in PEM form.')),
            key: v.optional(file('The private key of the client certificate, in PEM form.')),
          },
          'a mapping with ca, cert and key',
        ),
        v.description('For https remotes.'),
      ),
    ),
    proxy: v.optional(
      v.pipe(
        v.string('the URL of a proxy'),
        v.check(
          (text) => whatIsWrongWithProxy(text) === null,
          (issue) => whatIsWrongWithProxy(issue.input) ?? '',
        ),
        v.description('Proxy for http(s). Absent: http_proxy, https_proxy and no_proxy of the environment.'),
        v.examples(['http://proxy.example.com:3128']),
      ),
    ),
  },
  'a mapping with remotes',
);

/** The same keys as in an action, for every action that does not say it itself. */
const hostRunLimits = runLimitEntries({
  memory: `Memory of a run with everything that it started, where the action says nothing itself: a size, a share of the machine such as 50%, or none. Absent: ${defaultRunLimits.memory}. Swap is not counted.`,
  processes: `Processes and threads of a run at one time, where the action says nothing itself: a number, a share of what the machine can have, or none. Absent: ${defaultRunLimits.processes}.`,
  files:
    'Open files of each process of a run, where the action says nothing itself: a number, or none. Absent: as many as the system gives.',
});

const limits = closed(
  {
    freeSpaceMin: v.optional(
      v.pipe(size(), v.description('No fetch is begun with less free space for the state folder.')),
      formatSize(defaultLimits.freeSpaceMinBytes),
    ),
    fetchMax: v.optional(
      v.pipe(size(), v.description('The largest file that a fetch may write.')),
      formatSize(defaultLimits.fetchMaxBytes),
    ),
    outputMax: v.optional(
      v.pipe(size(), v.description("Kept of one run's output: its first half and its last half.")),
      formatSize(defaultLimits.outputMaxBytes),
    ),
    runsKeptPerAction: v.optional(
      v.pipe(count(1, 10_000), v.description('Runs of each action whose output is kept.')),
      defaultLimits.runsKeptPerAction,
    ),
    runsMax: v.optional(
      v.pipe(size(), v.description('The output of all runs together.')),
      formatSize(defaultLimits.runsMaxBytes),
    ),
    treeMaxFiles: v.optional(
      v.pipe(count(1, 100_000_000), v.description('Files in one commit.')),
      defaultLimits.treeMaxFiles,
    ),
    treeMaxSize: v.optional(
      v.pipe(size(), v.description('The size of all files of one commit.')),
      formatSize(defaultLimits.treeMaxBytes),
    ),
    probeTimeout: v.optional(
      v.pipe(
        duration(100, 10 * MINUTE),
        v.description('How long a remote may take to say which commit it has.'),
      ),
      formatDuration(defaultLimits.probeTimeoutMs),
    ),
    fetchStall: v.optional(
      v.pipe(
        duration(1_000, 60 * MINUTE),
        v.description('A fetch without any progress for so long is ended.'),
      ),
      formatDuration(defaultLimits.fetchStallMs),
    ),
    fetchTimeout: v.optional(
      v.pipe(
        duration(1_000, DAY),
        v.description('A fetch (not the first clone) is ended after so long in any case.'),
      ),
      formatDuration(defaultLimits.fetchTimeoutMs),
    ),
    ...hostRunLimits,
  },
  'a mapping of limits',
);

export const hostSchema = v.pipe(
  closed(
    {
      name: v.optional(
        v.pipe(
          asWritten(name, 'a name'),
          v.description('Name of this host. Absent: the name that the machine has.'),
          v.examples(['web-17']),
        ),
      ),
      labels: v.optional(
        v.pipe(
          namedMap(labelKey, labelValue, 'a mapping of labels such as {part: app}'),
          v.description('What this host is. Actions choose hosts by labels.'),
          v.examples([{ part: 'app', deployment: 'prod' }]),
        ),
        {},
      ),
      interval: v.optional(
        v.pipe(duration(50, DAY), v.description('Time from one look to the next.'), v.examples(['5s'])),
        '60s',
      ),
      nodeinfo: v.optional(
        v.pipe(
          line('the path of a folder'),
          v.description(
            'A folder of small files `<key>.txt` with one value each, which become labels (nodepart is part, stackkey is stack). `labels` wins. Absolute, or relative to the folder of host.yaml.',
          ),
          v.examples(['/root/nodeinfo']),
        ),
      ),
      repos: v.optional(
        v.pipe(
          namedMap(name, repo, 'a mapping from the names of repos'),
          v.description('The repositories that this host follows, by a name of your choice.'),
        ),
        {},
      ),
      status: v.optional(
        v.pipe(
          statusSchema,
          v.description('Where this host publishes what it is and does, and finds the others.'),
        ),
      ),
      metrics: v.optional(
        v.pipe(metricsSchema, v.description('Where this host writes its metrics for Prometheus.')),
      ),
      notify: v.optional(
        v.pipe(notifySchema, v.description('How people are told what is news about the fleet.')),
      ),
      limits: v.optional(
        v.pipe(limits, v.description('What pullyu may use of this machine. Rarely needed.')),
        {},
      ),
    },
    'a mapping of settings',
  ),
  v.title('host.yaml'),
  v.description('What a host is, and which repositories it follows. All of it is optional.'),
);

/** host.yaml as it may be written. */
export type HostSettings = v.InferInput<typeof hostSchema>;
export type RepoSettings = NonNullable<HostSettings['repos']>[string];
/** With every simple default put in. */
export type HostValues = v.InferOutput<typeof hostSchema>;
