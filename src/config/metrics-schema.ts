/** The `metrics` key of host.yaml. */
import { join } from 'node:path';
import * as v from 'valibot';
import type { MetricsConfig } from '../model/host.ts';
import { closed, line } from './schema-parts.ts';

const FILE_NAME = 'the name of a file that ends with .prom';
const DEFAULT_NAME = 'pullyu.prom';

export const metricsSchema = closed(
  {
    textfile: v.pipe(
      line('the path of a folder'),
      v.description(
        "The folder of node_exporter's textfile collector, which must be there. Absolute, or relative to the folder of host.yaml.",
      ),
      v.examples(['/var/lib/prometheus/node-exporter']),
    ),
    file: v.optional(
      v.pipe(
        v.string(FILE_NAME),
        v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}\.prom$/, FILE_NAME),
        v.description(
          'The name of the file. When it is given, every sample has the label `host`: for several hosts on one machine.',
        ),
        v.examples(['pullyu-web-1.prom']),
      ),
      DEFAULT_NAME,
    ),
  },
  'a mapping with textfile',
);

export function decideMetrics(
  { textfile, file }: v.InferOutput<typeof metricsSchema>,
  path: (text: string) => string | null,
): MetricsConfig {
  return { file: join(path(textfile)!, file), isNamed: file !== DEFAULT_NAME };
}
