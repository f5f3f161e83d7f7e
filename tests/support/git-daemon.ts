/** `git daemon`: the git protocol without any encryption or authentication, as some sites still use it inside. */
import { join } from 'node:path';
import { type Child, freePort, startChild, untilListening } from './child.ts';
import { git, gitEnvironment } from './git.ts';

export interface GitDaemon extends AsyncDisposable {
  readonly port: number;
  url(path: string): string;
  stop(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Serves every bare repository below the folder, read only unless `mayPush`. */
export async function startGitDaemon(options: {
  readonly folder: string;
  readonly mayPush?: boolean;
}): Promise<GitDaemon> {
  const port = await freePort();
  const program = join(await git(['--exec-path']), 'git-daemon');
  let server: Child | null = null;
  const start = async () => {
    if (server) return;
    server = startChild(
      [
        program,
        '--listen=127.0.0.1',
        `--port=${port}`,
        `--base-path=${options.folder}`,
        '--export-all',
        ...(options.mayPush ? ['--enable=receive-pack'] : []),
        '--reuseaddr',
        '--verbose',
        options.folder,
      ],
      { env: gitEnvironment },
    );
    await untilListening(server, port);
  };
  const stop = async () => {
    await server?.close();
    server = null;
  };
  await start();
  return {
    port,
    url: (path) => `git://127.0.0.1:${port}/${path}`,
    start,
    stop,
    close: stop,
    [Symbol.asyncDispose]: stop,
  };
}
