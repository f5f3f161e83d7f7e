/** git:// is a socket, a line that says what is wanted, and then the same words as over ssh. */
import { connect } from 'node:net';
import type { ExecResult } from '../system/exec.ts';
import { formatPacket } from './pkt-line.ts';
import { hostWithPort, type RemoteUrl } from './remote-url.ts';

const PORT = 9418;

/** As if a program had been run: what it said, and how it ended. */
export function askSocket(
  url: RemoteUrl,
  service: string,
  input: string | Buffer,
  o: { timeoutMs: number; maxBytes: number; signal: AbortSignal | undefined },
): Promise<ExecResult> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let length = 0;
    const socket = connect({ host: url.host, port: url.port ?? PORT });
    const settle = (ended: ExecResult['ended'], error: Error | null = null) => {
      clearTimeout(timer);
      o.signal?.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve({
        ended,
        exitCode: error === null ? 0 : 128,
        signal: null,
        stdout: Buffer.concat(parts, length),
        stderr: error === null ? '' : said(error),
      });
    };
    const onAbort = () => settle('aborted');
    const timer = setTimeout(() => settle('timed-out'), Math.max(1, o.timeoutMs));
    o.signal?.addEventListener('abort', onAbort, { once: true });
    if (o.signal?.aborted) return onAbort();
    socket.on('data', (chunk: Buffer) => {
      parts.push(chunk);
      length += chunk.length;
      if (length > o.maxBytes) settle('too-much-output');
    });
    socket.on('error', (error) => settle('exited', error));
    socket.on('end', () => settle('exited'));
    const version = service === 'git-upload-pack' ? '\0version=2\0' : '';
    socket.write(formatPacket(`${service} ${url.path}\0host=${hostWithPort(url)}\0${version}`));
    socket.write(input);
  });
}

/** In the words of git, which the table of its complaints knows. */
function said(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'fatal: Could not resolve host';
    default:
      return `fatal: unable to connect: ${error.message}`;
  }
}
