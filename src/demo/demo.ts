/** Runs the demo: sets the stage, has the story told, and leaves nothing behind, however it ends. */
import { existsSync } from 'node:fs';
import { delay } from '../system/clock.ts';
import { tellFleetStory } from './fleet-story.ts';
import { freePort } from './page.ts';
import { createScene, UnexpectedError } from './scene.ts';
import { openStage, type Stage } from './stage.ts';
import { HOST, tellStory } from './story.ts';
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
    const [port, web2, balancer] = [await freePort(), await freePort(), await freePort()];
    const host = stage.host(HOST);
    const scene = createScene({ stage, host, pageUrl: `http://127.0.0.1:${port}/`, signal }, tell);
    await tellStory(stage, scene, tell, port);
    await tellFleetStory({ stage, signal, scene, ports: { web2, balancer } }, tell);
    good = true;
    tell.say();
    const seconds = Math.round((Date.now() - started) / 1000);
    tell.say(voice.green(`Everything happened as it should, in ${seconds} s.`));
    if (options.stay) await stay(stage, voice, tell, balancer, signal);
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

async function stay(
  stage: Stage,
  voice: Voice,
  tell: Storyteller,
  port: number,
  signal: AbortSignal,
): Promise<void> {
  tell.say();
  tell.say('It stays up until Ctrl-C:');
  tell.say();
  voice.line(`   look at the page   http://127.0.0.1:${port}/`);
  voice.line(`   change it          git clone ${stage.url}`);
  voice.line('                      (then commit and push, from anywhere on this machine)');
  voice.line(`   ask the host       ${stage.command} --root ${stage.host(HOST).root} status`);
  voice.line(`   ask all hosts      ${stage.command} fleet --status ${stage.statusUrl}`);
  tell.say();
  tell.say('What the agents say from now on:');
  const living = stage.hosts().filter((host) => host.agent()?.isRunning());
  for (const { name, agent } of living) {
    agent()?.onLine(({ at, text }) =>
      tell.quote(`${new Date(at).toLocaleTimeString('en-GB')} ${name.padEnd(5)} ${text}`),
    );
  }
  while (!signal.aborted && living.some((host) => host.agent()?.isRunning())) await delay(500, signal);
}

/** What is needed to find out why. */
async function report(error: UnexpectedError, stage: Stage, voice: Voice): Promise<void> {
  voice.line();
  voice.line(`${voice.red('error:')} ${error.message}`);
  for (const host of stage.hosts()) {
    const where = host.name === HOST ? '' : ` of ${host.name}`;
    for (const args of [['status'], ['logs', host.name === 'lb-1' ? 'balancer' : 'shop']]) {
      const result = await host.pullyu(...args).catch(() => null);
      if (result === null) continue;
      voice.line();
      voice.line(`pullyu ${args.join(' ')}${where}:`);
      voice.line(`${result.stdout}${result.stderr}`.trimEnd());
    }
    voice.line();
    voice.line(`The last words of the agent${where}:`);
    for (const { at, text } of host.agent()?.lines().slice(-30) ?? [])
      voice.line(`${new Date(at).toISOString()} ${text}`);
  }
}
