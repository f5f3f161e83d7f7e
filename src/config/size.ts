/** Sizes as people write them: a whole number and a unit of 1024. */
const UNIT_BYTES = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const;

export const SIZE = /^(\d{1,9}) ?(B|KiB|MiB|GiB|TiB)$/;

/** `100 MiB` is 104857600. null when it is no size. */
export function parseSize(text: string): number | null {
  const match = SIZE.exec(text);
  return match === null ? null : Number(match[1]) * UNIT_BYTES[match[2] as keyof typeof UNIT_BYTES];
}

/** The largest unit that gives a whole number. */
export function formatSize(bytes: number): string {
  const units = Object.entries(UNIT_BYTES).reverse();
  const [unit, size] = units.find(([, size]) => bytes % size === 0) ?? ['B', 1];
  return bytes === 0 ? '0 B' : `${bytes / size} ${unit}`;
}
