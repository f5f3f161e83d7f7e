/** The one question: `ls-refs` of protocol v2. */
import { DELIMITER, FLUSH, formatPacket } from './pkt-line.ts';

/** The body of a protocol v2 request. `peel` resolves annotated tags, `symrefs` tells what HEAD is. */
export function formatLsRefs(o: {
  prefixes: readonly string[];
  peel?: boolean;
  symrefs?: boolean;
  objectFormat: string | null;
}): string {
  // Without the capability a server of a SHA-256 repository refuses; with `sha1` an old server does.
  const format =
    o.objectFormat === null || o.objectFormat === 'sha1' ? '' : `object-format=${o.objectFormat}`;
  return [
    formatPacket('command=ls-refs\n'),
    format === '' ? '' : formatPacket(`${format}\n`),
    DELIMITER,
    o.peel ? formatPacket('peel\n') : '',
    o.symrefs ? formatPacket('symrefs\n') : '',
    ...o.prefixes.map((prefix) => formatPacket(`ref-prefix ${prefix}\n`)),
    FLUSH,
  ].join('');
}
