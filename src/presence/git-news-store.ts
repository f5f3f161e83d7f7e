/** What was told, in a status repository: the branch `news/state`, replaced each time by a commit without a parent. */
import { createObjectSet, parseCommit, parseTree } from '../git/objects.ts';
import { createTalk, type TalkOptions } from '../git/talk.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { NEWS } from './git-refs.ts';
import { NEWS_MAX_BYTES, type NewsStore, type StoredNews } from './news-store.ts';

const FILE = 'state.json';
const LIMITS = { packMaxBytes: NEWS_MAX_BYTES, objectMaxBytes: NEWS_MAX_BYTES } as const;

export interface GitNewsOptions extends TalkOptions {
  /** Of the host that writes. */
  readonly host: string;
}

/** @param remote The status repository; of several the first. */
export function createGitNewsStore(remote: string, o: GitNewsOptions): NewsStore {
  const talk = createTalk(remote, o);
  const tip = async (signal?: AbortSignal) => {
    const listed = await talk.list([NEWS], signal);
    if (!listed.ok) return listed;
    const { refs, format } = listed.value;
    return ok({ token: refs.find(({ name }) => name === NEWS)?.id ?? null, format });
  };
  return {
    name: remote,
    async load(signal) {
      const found = await tip(signal);
      if (!found.ok) return found;
      const { token, format } = found.value;
      if (token === null) return ok({ text: null, token });
      const q = { wants: [token], depth: 1, blobMaxBytes: NEWS_MAX_BYTES };
      const fetched = await talk.fetch(q, LIMITS, signal);
      if (!fetched.ok) return fetched;
      const commit = fetched.value.get(token);
      const tree = fetched.value.get((commit && parseCommit(commit.data)?.tree) ?? '');
      const entry = tree?.type === 'tree' ? parseTree(tree.data, format)?.get(FILE) : undefined;
      const blob = fetched.value.get(entry?.id ?? '');
      return ok({
        text: blob?.type === 'blob' ? blob.data.toString('utf8') : '',
        token,
      } satisfies StoredNews);
    },
    async save(text, token, signal): Promise<Result<string | null>> {
      // Servers differ in the format of their objects; it costs a question, and messages are rare.
      const found = await tip(signal);
      if (!found.ok) return found;
      const { format } = found.value;
      if (found.value.token !== token) return ok(null);
      const set = createObjectSet(format);
      const commit = set.addCommit({
        tree: set.addTree(new Map([[FILE, Buffer.from(text)]])),
        parents: [],
        name: o.host,
        email: `${o.host}@pullyu`,
        at: o.now?.() ?? 0,
        message: 'news',
      });
      if (commit === token) return ok(token);
      const report = await talk.push([{ ref: NEWS, old: token, new: commit }], set.objects, format, signal);
      if (!report.ok) return report;
      const why = report.value.refs.has(NEWS) ? report.value.refs.get(NEWS)! : 'it was not reported';
      if (why === null) return ok(commit);
      const after = await tip(signal);
      if (after.ok && after.value.token !== token) return ok(after.value.token === commit ? commit : null);
      return fail(
        trouble('forbidden', `expected ${remote} to take ${NEWS}, found "${why}"`, {
          hint: 'let this credential create and replace branches below news/',
          remote,
        }),
      );
    },
    close: () => talk.close(),
  };
}
