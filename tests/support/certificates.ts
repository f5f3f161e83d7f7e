/** A certificate authority of the test's own, made with openssl; keys are elliptic, so this takes milliseconds. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends KeyPair {
  /** A server certificate. `expired`: it ended yesterday. */
  issue(
    name: string,
    options: { hosts?: readonly string[]; expired?: boolean; client?: boolean },
  ): Promise<KeyPair>;
}

export async function createAuthority(folder: string, name = 'ca'): Promise<Authority> {
  const at = (file: string) => join(folder, file);
  const ca = { cert: at(`${name}.pem`), key: at(`${name}.key`) };
  await openssl(
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ['-subj', `/CN=pullyu test ${name}`, '-keyout', ca.key, '-out', ca.cert],
  );
  return {
    ...ca,
    issue: async (subject, options) => {
      const pair = { cert: at(`${subject}.pem`), key: at(`${subject}.key`) };
      const request = at(`${subject}.csr`);
      const extensions = at(`${subject}.ext`);
      const names = (options.hosts ?? []).map((host) =>
        /^[\d.]+$/.test(host) ? `IP:${host}` : `DNS:${host}`,
      );
      const lines = [
        'basicConstraints=CA:FALSE',
        `extendedKeyUsage=${options.client ? 'clientAuth' : 'serverAuth'}`,
        ...(names.length > 0 ? [`subjectAltName=${names.join(',')}`] : []),
      ];
      writeFileSync(extensions, `${lines.join('\n')}\n`);
      await openssl(
        ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
        ['-subj', `/CN=${subject}`, '-keyout', pair.key, '-out', request],
      );
      await openssl(
        ['x509', '-req', '-in', request, '-CA', ca.cert, '-CAkey', ca.key, '-CAcreateserial'],
        ['-days', options.expired ? '-1' : '2', '-extfile', extensions, '-out', pair.cert],
      );
      return pair;
    },
  };
}

async function openssl(...args: string[][]): Promise<void> {
  await run('openssl', args.flat(), { timeout: 30_000 });
}
