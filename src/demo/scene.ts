/** The verbs of the demo: change, push, wait, expect. Each says what it did and fails with what was expected and what was found. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { delay } from '../system/clock.ts';
import type { ExecResult } from '../system/exec.ts';
import type { AgentLine } from './agent.ts';
import { fetchPage, type Page } from './page.ts';
import type { Stage } from './stage.ts';
import type { StageHost } from './stage-host.ts';
import type { Storyteller } from './storyteller.ts';

/** Something did not happen as the demo says that it does. */
export class UnexpectedError extends Error {
  override readonly name = 'UnexpectedError';

  constructor(expected: string, found: string) {
    super(`expected ${expected}, found ${found}`);
  }
}

export interface RunJson {
  readonly action: string;
  readonly commit: string;
  readonly attempt: number;
  readonly reason: string;
  readonly outcome: string | null;
}

export interface Push {
  readonly commit: string;
  /** When the push had ended, milliseconds since 1970. */
  readonly at: number;
  /** Lines of the agent before it. */
  readonly heard: number;
}

/** For a loaded machine, never the expected time. */
const WAIT_MS = 40_000;
const PAGE_EVERY_MS = 10;

export interface SceneOptions {
  readonly stage: Stage;
  /** The one whose agent is listened to, and who is asked. */
  readonly host: StageHost;
  readonly pageUrl: string;
  readonly signal: AbortSignal;
}

export function createScene({ stage, host, pageUrl, signal }: SceneOptions, tell: Storyteller) {
  /** @throws UnexpectedError at the deadline, with what was there instead. */
  async function until<T>(
    expected: string,
    ask: () => T | Promise<T>,
    found: () => string,
    everyMs = 20,
  ): Promise<NonNullable<T>> {
    const deadline = Date.now() + WAIT_MS;
    for (;;) {
      signal.throwIfAborted();
      const value = await ask();
      if (value) return value as NonNullable<T>;
      if (host.agent()?.isRunning() === false)
        throw new UnexpectedError('an agent that goes on', 'that it ended');
      if (Date.now() > deadline) throw new UnexpectedError(expected, found());
      await delay(everyMs, signal);
    }
  }

  const said = () => host.agent()?.lines() ?? [];

  const scene = {
    until,

    expect(holds: boolean, expected: string, found: unknown): void {
      if (!holds)
        throw new UnexpectedError(expected, typeof found === 'string' ? found : JSON.stringify(found));
    },

    /** Replaces a text in a file of the clone. */
    edit(path: string, before: string, after: string): void {
      const file = join(stage.work, path);
      const text = readFileSync(file, 'utf8');
      scene.expect(text.includes(before), `${JSON.stringify(before)} in ${path}`, 'another text');
      writeFileSync(file, text.replace(before, after));
    },

    async commitAndPush(message: string): Promise<Push> {
      tell.command(`git commit -am ${JSON.stringify(message)} && git push`);
      await stage.git('add', '--all');
      await stage.git('commit', '--quiet', '-m', message);
      return scene.push();
    },

    async push(): Promise<Push> {
      const heard = said().length;
      await stage.git('push', '--quiet', 'origin', 'main');
      const at = Date.now();
      return { commit: await stage.git('rev-parse', 'HEAD'), at, heard };
    },

    /** A command of the tool, shown as it is typed, with what it answers. */
    async show(
      args: readonly string[],
      options: { lines?: number; exitCode?: number; on?: string } = {},
    ): Promise<string> {
      tell.command(`pullyu ${args.join(' ')}${options.on === undefined ? '' : ` # on ${options.on}`}`);
      const text = await scene.ask(args, options.exitCode);
      const lines = text.trimEnd().split('\n');
      tell.quote(lines.slice(0, options.lines ?? lines.length).join('\n'));
      return text;
    },

    async ask(args: readonly string[], exitCode = 0): Promise<string> {
      const result = await host.pullyu(...args);
      signal.throwIfAborted();
      const found = `${describeEnd(result)}: ${result.stdout}${result.stderr}`;
      scene.expect(result.exitCode === exitCode, `exit code ${exitCode} of pullyu ${args[0]}`, found);
      return result.stdout.toString();
    },

    history: async () => JSON.parse(await scene.ask(['history', '--json'])) as RunJson[],

    /** Waits for a line of the agent that was said after the push. */
    async untilSaid(push: Push, wanted: RegExp, expected: string): Promise<AgentLine> {
      const after = () => said().slice(push.heard);
      return until(
        `the agent to say ${expected}`,
        () => after().find((line) => wanted.test(line.text)),
        () =>
          after()
            .map((line) => line.text)
            .join('\n') || 'that it said nothing',
      );
    },

    /** Waits until the page is as wanted. @returns the page, and when it was there. */
    async untilPage(expected: string, wanted: (page: Page) => boolean): Promise<{ page: Page; at: number }> {
      let last: Page | null = null;
      const page = await until(
        `the page to show ${expected}`,
        async () => {
          last = await fetchPage(pageUrl);
          return last !== null && wanted(last) ? last : null;
        },
        () => (last === null ? 'that nobody answers' : JSON.stringify(last)),
        PAGE_EVERY_MS,
      );
      return { page, at: Date.now() };
    },

    async page(): Promise<Page> {
      const page = await fetchPage(pageUrl);
      if (page === null) throw new UnexpectedError(`a page at ${pageUrl}`, 'that nobody answers');
      return page;
    },

    /** What the agent said since the push, and what else happened, in the order of time. */
    chronicle(push: Push, also: readonly AgentLine[] = []): void {
      const lines = [...said().slice(push.heard), ...also].sort((a, b) => a.at - b.at);
      for (const line of lines) tell.moment(line.isMore ? null : line.at - push.at, line.text);
    },
  };
  return scene;
}

export type Scene = ReturnType<typeof createScene>;

export function describeEnd(result: ExecResult): string {
  return result.ended === 'exited' ? `exit code ${result.exitCode}` : result.ended;
}
