/** What a hub tells its operator. Text of strangers in it is escaped already. */
export type HubEvent =
  | {
      readonly type: 'pushed';
      readonly repository: string;
      readonly refs: readonly string[];
      /** Id of the token. */
      readonly token: string;
      readonly address: string;
    }
  /** Wrong tokens, again and again. */
  | { readonly type: 'guessing'; readonly address: string }
  /** Somebody was sent away because all places are taken. */
  | { readonly type: 'busy'; readonly repository: string; readonly lane: 'clone' | 'fetch' | 'push' }
  | { readonly type: 'failed'; readonly repository: string; readonly message: string }
  /** A mirror has new refs. */
  | { readonly type: 'mirrored'; readonly repository: string }
  /** The forge of a mirror cannot be reached, or answers nonsense; the mirror stays as it is. null: it is well again. */
  | { readonly type: 'mirror-trouble'; readonly repository: string; readonly message: string | null };
