/** The `status` key of host.yaml. */
import * as v from 'valibot';
import type { NatsConfig, StatusConfig } from '../model/host.ts';
import type { AccessSettings } from '../model/repo.ts';
import { parseDuration } from './duration.ts';
import { whatIsWrongWithNats, whatIsWrongWithProxy, whatIsWrongWithRemote } from './remote.ts';
import { closed, duration, file, line } from './schema-parts.ts';

const HOUR = 60 * 60_000;

const remote = v.pipe(
  v.string('the URL of a git repository'),
  v.check(
    (text) => whatIsWrongWithRemote(text) === null,
    (issue) => whatIsWrongWithRemote(issue.input) ?? '',
  ),
);

const NATS = 'a URL such as nats://a.example.com:4222';
const natsServer = v.pipe(
  v.string(NATS),
  v.check(
    (text) => whatIsWrongWithNats(text) === null,
    (issue) => whatIsWrongWithNats(issue.input) ?? '',
  ),
);
const natsServers = v.pipe(
  v.array(natsServer, 'a list of URLs'),
  v.minLength(1, 'at least one URL'),
  v.maxLength(16, 'at most 16 URLs'),
);

const tls = v.pipe(
  closed(
    {
      ca: v.optional(file('The certificates of the authorities that are trusted, in PEM form.')),
      cert: v.optional(file('The client certificate, in PEM form.')),
      key: v.optional(file('The private key of the client certificate, in PEM form.')),
    },
    'a mapping with ca, cert and key',
  ),
  v.description('For https remotes and TLS to NATS.'),
);

const NATS_FORMS = 'a list of URLs, or a mapping with servers, credentials and tls';
const nats = v.union(
  [
    natsServers,
    closed(
      {
        servers: v.pipe(natsServers, v.description('The servers of the cluster, in any order.')),
        credentials: v.optional(
          file(
            'A .creds file of NATS, or lines username= and password=, or one token. Read at each connection.',
          ),
        ),
        tls: v.optional(tls),
      },
      NATS_FORMS,
    ),
  ],
  NATS_FORMS,
);

export const statusSchema = v.pipe(
  closed(
    {
      remote: v.optional(
        v.pipe(
          remote,
          v.description(
            'The status repository: hosts push their presence into it. Never a repository that is polled.',
          ),
          v.examples(['https://git.example.com/status.git']),
        ),
      ),
      shards: v.optional(
        v.pipe(
          v.array(remote, 'a list of URLs'),
          v.minLength(1, 'at least one URL'),
          v.maxLength(256, 'at most 256 URLs'),
          v.description(
            'Instead of `remote`, for large fleets: several status repositories. A host writes to the one that its name hashes to and reads all. The same list in the same order on every host.',
          ),
        ),
      ),
      nats: v.optional(
        v.pipe(
          nats,
          v.description(
            'Servers of a NATS cluster with JetStream, instead of a repository or beside it. A list of URLs, or with credentials of its own.',
          ),
          v.examples([['nats://a:4222', 'nats://b:4222']]),
        ),
      ),
      heartbeat: v.optional(
        v.pipe(
          duration(100, 24 * HOUR),
          v.description(
            'Time from one presence to the next while nothing happens. After three of them without one, readers call the host silent.',
          ),
        ),
        '5m',
      ),
      facts: v.optional(
        v.pipe(
          line('the path of a program'),
          v.description(
            'A program of this host that prints lines `key=value`; they become facts of its presence. At most 10 seconds and 4 KiB. Absolute, or relative to the folder of host.yaml.',
          ),
        ),
      ),
      credentials: v.optional(
        file('The user and password for the status repository, or else for NATS, as for a repo.'),
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
      tls: v.optional(tls),
      proxy: v.optional(
        v.pipe(
          v.string('the URL of a proxy'),
          v.check(
            (text) => whatIsWrongWithProxy(text) === null,
            (issue) => whatIsWrongWithProxy(issue.input) ?? '',
          ),
          v.description('Proxy for http(s). Absent: that of the environment.'),
        ),
      ),
    },
    'a mapping with remote or nats',
  ),
  v.check(
    ({ remote: one, shards, nats: bus }) => one !== undefined || shards !== undefined || bus !== undefined,
    'expected remote, shards or nats, found none of them',
  ),
  v.check(
    ({ remote: one, shards }) => one === undefined || shards === undefined,
    'expected either remote or shards, found both',
  ),
);

/** As it may be written. */
export type StatusSettings = v.InferInput<typeof statusSchema>;
export type StatusValues = v.InferOutput<typeof statusSchema>;

/** Flat `credentials` and `tls` belong to the repository; without one, to NATS. */
export function decideStatus(
  values: StatusValues,
  path: (text: string | undefined) => string | null,
): StatusConfig {
  const shards = values.shards ?? (values.remote === undefined ? [] : [values.remote]);
  const isForGit = shards.length > 0;
  const access: AccessSettings = {
    credentialsFile: isForGit ? path(values.credentials) : null,
    credentialHelper: values.credentialHelper ?? null,
    sshKey: path(values.ssh?.key),
    sshKnownHosts: path(values.ssh?.knownHosts),
    tlsCa: isForGit ? path(values.tls?.ca) : null,
    tlsCert: isForGit ? path(values.tls?.cert) : null,
    tlsKey: isForGit ? path(values.tls?.key) : null,
    proxy: values.proxy ?? null,
  };
  return {
    shards,
    access,
    nats: values.nats === undefined ? null : decideNats(values, isForGit, path),
    heartbeatMs: parseDuration(values.heartbeat)!,
    facts: path(values.facts),
  };
}

function decideNats(
  values: StatusValues,
  isForGit: boolean,
  path: (text: string | undefined) => string | null,
): NatsConfig {
  const given = values.nats!;
  const own = 'servers' in given ? given : { servers: given };
  const credentials = 'credentials' in own ? own.credentials : isForGit ? undefined : values.credentials;
  const files = 'tls' in own ? own.tls : isForGit ? undefined : values.tls;
  return {
    servers: own.servers,
    credentialsFile: path(credentials),
    tlsCa: path(files?.ca),
    tlsCert: path(files?.cert),
    tlsKey: path(files?.key),
  };
}
