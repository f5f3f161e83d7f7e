/** Runs the demo: sets the stage, has the story told, and leaves nothing behind, however it ends. */
import { existsSync } from 'node:fs';
import { delay } from '../system/clock.ts';
import { freePort } from './page.ts';
import { createScene, UnexpectedError } from './scene.ts';
import { openStage, type Stage } from './stage.ts';
import { tellStory } from './story.ts';
import { createStoryteller, type Storyteller, type Voice } from './storyteller.ts';

export interface DemoOptions {
  /** Keep everything up after the story, until the signal. */
  readonly stay: boolean;
  /** Ends it early: what was started is ended all the same. */
  readonly signal: AbortSignal;
}

/** @returns whether all went as it should. @throws PullyuError when there is no git, or no room for it. */
export async function runDemo(voice: Voice, options: DemoOptions): Promise<boolean> {
  const { signal } = options;
  const started = Date.now();
  const tell = createStoryteller(voice);
  const stage = await openStage(signal);
  let good = false;
  try {
    const port = await freePort();
    await tellStory(stage, createScene(stage, tell, `http://127.0.0.1:${port}/`, signal), tell, port);
    good = true;
    tell.say();
    const seconds = Math.round((Date.now() - started) / 1000);
    tell.say(voice.green(`Everything happened as it should, in ${seconds} s.`));
    if (options.stay) await stay(stage, tell, port, signal);
    else tellHowForReal(tell);
  } catch (error) {
    if (!signal.aborted) {
      if (!(error instanceof UnexpectedError)) throw error;
      await report(error, stage, voice);
    }
  } finally {
    if (signal.aborted) tell.say();
    if (signal.aborted) tell.say('Ends what was started.');
    await stage.close();
  }
  const gone = !existsSync(stage.folder);
  tell.say();
  if (gone) tell.say(`Everything that was started is ended, and ${stage.folder} is removed.`);
  else tell.say(`${voice.red('error:')} ${stage.folder} could not be removed`);
  return good && gone;
}

function tellHowForReal(tell: Storyteller): void {
  tell.say();
  tell.say('For real it is three lines:');
  tell.say();
  tell.say('   pullyu bootstrap https://git.example.com/it.git   # once on each server');
  tell.say('   git push                                          # from where you work');
  tell.say('   pullyu status                                     # on a server');
  tell.say();
  tell.say('docs/quick-start.md goes on from here; examples/ has repositories to begin with.');
  tell.say('To play with this one: npm start -- --stay');
}

async function stay(stage: Stage, tell: Storyteller, port: number, signal: AbortSignal): Promise<void> {
  tell.say();
  tell.say('It stays up until Ctrl-C:');
  tell.say();
  tell.say(`   look at the page   http://127.0.0.1:${port}/`);
  tell.say(`   change it          git clone ${stage.url}`);
  tell.say('                      (then commit and push, from anywhere on this machine)');
  tell.say(`   ask the host       ${stage.command} --root ${stage.root} status`);
  tell.say();
  tell.say('What the agent says from now on:');
  stage
    .agent()
    ?.onLine((line) => tell.quote(`${new Date(line.at).toLocaleTimeString('en-GB')} ${line.text}`));
  while (!signal.aborted && stage.agent()?.isRunning() === true) await delay(500, signal);
}

/** What is needed to find out why. */
async function report(error: UnexpectedError, stage: Stage, voice: Voice): Promise<void> {
  voice.line();
  voice.line(`${voice.red('error:')} ${error.message}`);
  for (const args of [['status'], ['logs', 'shop']]) {
    const result = await stage.pullyu(...args).catch(() => null);
    if (result === null) continue;
    voice.line();
    voice.line(`pullyu ${args.join(' ')}:`);
    voice.line(`${result.stdout}${result.stderr}`.trimEnd());
  }
  voice.line();
  voice.line('The last words of the agent:');
  for (const { at, text } of stage.agent()?.lines().slice(-30) ?? [])
    voice.line(`${new Date(at).toISOString()} ${text}`);
}
