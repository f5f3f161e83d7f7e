/** hosts.yaml: the one description of its keys. The parser, the JSON Schema and the reference page are made from it. */
import * as v from 'valibot';
import { plainPublicKey } from '../model/public-key.ts';
import { closed, labelKey, labelValue, name, namedMap } from './schema-parts.ts';

const KEY = 'the public key of a host such as "ssh-ed25519 AAAA..."';
const publicKey = v.pipe(
  v.string(KEY),
  v.check(
    (text) => plainPublicKey(text) !== null,
    (issue) => `expected ${KEY}, found ${whatItIs(issue.input)}`,
  ),
);

/** Nothing of the text itself: somebody may have taken the wrong half of the key. */
function whatItIs(text: string): string {
  if (text.includes('PRIVATE KEY')) return 'a private key, which belongs nowhere but on its host';
  const type = /^(?:ssh-(?:rsa|dss|ed448)|ecdsa-sha2-nistp\d{3}|sk-[a-z0-9@.-]{1,60})(?=\s)/.exec(text)?.[0];
  return type === undefined ? 'something else' : `one of the type ${type}`;
}

const host = closed(
  {
    labels: v.optional(
      v.pipe(
        namedMap(labelKey, labelValue, 'a mapping of labels such as {part: app}'),
        v.description('What the host is, for readers. It counts more than what the host says about itself.'),
        v.examples([{ part: 'app', deployment: 'prod' }]),
      ),
      {},
    ),
    keys: v.optional(
      v.pipe(
        v.array(publicKey, 'a list of public keys'),
        v.maxLength(10, 'at most 10 keys'),
        v.description(
          'The keys that the host may sign with: lines of `keys/host_ed25519.pub` in its state folder. Absent: the one that is seen first.',
        ),
      ),
      [],
    ),
    key: v.optional(v.pipe(publicKey, v.description('The same, for one key.'))),
  },
  'a mapping with labels and keys',
);

export const hostsSchema = v.pipe(
  closed(
    {
      hosts: v.pipe(
        namedMap(name, v.optional(host, {}), 'a mapping from the names of hosts'),
        v.description('The hosts that there are, by name. A host that is not listed is a stranger.'),
      ),
    },
    'a mapping with hosts',
  ),
  v.title('hosts.yaml'),
  v.description('The hosts that are expected, what they are, and the keys by which they are known.'),
);

export type HostsValues = v.InferOutput<typeof hostsSchema>;
