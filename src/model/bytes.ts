/** About how much, for people: `512 B`, `3 MiB`, `1.5 GiB`. The exact form is that of config/size.ts. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value >= 10 || unit === 0 ? Math.floor(value) : value.toFixed(1)} ${units[unit]}`;
}
