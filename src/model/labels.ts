/** Labels say what a host is; a selector says which hosts are meant. */

export type Labels = Readonly<Record<string, string>>;

/** `PULLYU_LABEL_` and what it becomes is the name of a variable: no other characters, no endless names. */
export function isLabelKey(text: string): boolean {
  return LABEL_KEY.test(text);
}

const LABEL_KEY = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,255}$/;

/** Every key must match; a list means any of its values. An empty selector matches every host. */
export type Selector = Readonly<Record<string, string | readonly string[]>>;

export function matchesSelector(selector: Selector | null, labels: Labels): boolean {
  // Asked of each of ten thousand hosts: without a list of its entries for each.
  for (const key in selector) {
    const wanted = selector[key];
    const actual = Object.hasOwn(labels, key) ? labels[key] : undefined;
    if (actual === undefined || wanted === undefined) return false;
    if (typeof wanted === 'string' ? actual !== wanted : !wanted.includes(actual)) return false;
  }
  return true;
}

/** `part=app, deployment=prod|staging`: the form that sentences use. `every host` for an empty selector. */
export function formatSelector(selector: Selector | null): string {
  const entries = Object.entries(selector ?? {});
  if (entries.length === 0) return 'every host';
  return entries.map(([key, v]) => `${key}=${typeof v === 'string' ? v : v.join('|')}`).join(', ');
}

/** `deployment=prod, part=app`, sorted by key; `no labels` when there are none. */
export function formatLabels(labels: Labels): string {
  const entries = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? 'no labels' : entries.map(([key, value]) => `${key}=${value}`).join(', ');
}
