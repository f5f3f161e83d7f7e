/** The moments at which scripts began, as they wrote them themselves in their first line. */
import { readFileSync, writeFileSync } from 'node:fs';
import { until } from '../support/until.ts';

export interface Marks {
  readonly file: string;
  forget(): void;
  /** Milliseconds since 1970 of the first script that began for this host since `forget`. */
  first(host: string): Promise<number>;
}

export function createMarks(file: string): Marks {
  const read = () =>
    readFileSync(file, 'latin1')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' ') as [string, string]);
  const forget = () => writeFileSync(file, '');
  forget();
  return {
    file,
    forget,
    first: (host) =>
      until(
        () => {
          const mark = read().find(([, who]) => who === host);
          return mark && Number(mark[0]) * 1000;
        },
        { what: `a script of ${host} to begin`, found: read, everyMs: 5, timeoutMs: 60_000 },
      ),
  };
}
