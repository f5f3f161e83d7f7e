/** Sizes as people write them: a whole number and a unit of 1024. */
const UNIT_BYTES = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const;

/** `1G` is what units of systemd say for `1 GiB`. */
export const SIZE = /^(\d{1,9}) ?(B|[KMGT]|KiB|MiB|GiB|TiB)$/;

/** `100 MiB` is 104857600. null when it is no size. */
export function parseSize(text: string): number | null {
  const match = SIZE.exec(text);
  if (match === null) return null;
  const unit = match[2]!.length === 1 && match[2] !== 'B' ? `${match[2]}iB` : match[2];
  return Number(match[1]) * UNIT_BYTES[unit as keyof typeof UNIT_BYTES];
}

/** The largest unit that gives a whole number. */
export function formatSize(bytes: number): string {
  const units = Object.entries(UNIT_BYTES).reverse();
  const [unit, size] = units.find(([, size]) => bytes % size === 0) ?? ['B', 1];
  return bytes === 0 ? '0 B' : `${bytes / size} ${unit}`;
}
