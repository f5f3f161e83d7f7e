/** A git repository that a host follows, as host.yaml describes it. */
export interface RepoConfig {
  /** Unique on the host, `[a-z0-9][a-z0-9._-]*`; names folders. */
  readonly name: string;
  /** Ordered; the first that answers is used. URLs without any credential in them. */
  readonly remotes: readonly string[];
  /** As written: `main`, `deploy/{deployment}`, `tag: v*` becomes `{ tag: 'v*' }`. */
  readonly track: TrackRule;
  /** `self`: the repo's own work script pulls; the agent only calls it. */
  readonly pull: 'agent' | 'self';
  readonly clone: 'full' | 'blobless';
  readonly submodules: boolean;
  readonly lfs: boolean;
  readonly convention: ConventionSettings;
  readonly access: AccessSettings;
}

/**
 * `ref` is a branch name, an exact tag (`refs/tags/v1`), or a commit id, and may hold `{label}` templates.
 * `tag` is a glob over tag names; the highest semantic version wins.
 */
export type TrackRule = { readonly ref: string } | { readonly tag: string };

/** A track rule after the labels of the host have been put in. */
export type Tracking =
  | { readonly kind: 'branch'; readonly name: string }
  | { readonly kind: 'exact-tag'; readonly name: string }
  | { readonly kind: 'tag'; readonly pattern: string }
  | { readonly kind: 'commit'; readonly id: string };

/** How to reach and prove ourselves to a remote. Files are read at every use, never kept. */
export interface AccessSettings {
  /** A file: lines `https://user:password@host`, or `username=`/`password=` lines, or one bare token. */
  readonly credentialsFile: string | null;
  /** A git credential helper as git's own `credential.helper` takes it. */
  readonly credentialHelper: string | null;
  readonly sshKey: string | null;
  readonly sshKnownHosts: string | null;
  readonly tlsCa: string | null;
  readonly tlsCert: string | null;
  readonly tlsKey: string | null;
  /** Proxy URL; null takes http_proxy, https_proxy and no_proxy of the environment. */
  readonly proxy: string | null;
}

/** A remote that asks for nothing, with the proxies of the environment. */
export const NO_ACCESS: AccessSettings = {
  credentialsFile: null,
  credentialHelper: null,
  sshKey: null,
  sshKnownHosts: null,
  tlsCa: null,
  tlsCert: null,
  tlsKey: null,
  proxy: null,
};

/**
 * Where the convention finds scripts: path templates with `{part}`, `{stacktype}`, `{stack}`, `{deployment}` or any
 * other label. A template whose label the host lacks is left out; a path that does not exist is skipped.
 */
export interface ConventionSettings {
  /** Most general first. When the first exists, it alone is called: it includes the rest. */
  readonly init: readonly string[];
  /** Most general first; every one that exists is called. */
  readonly work: readonly string[];
}
