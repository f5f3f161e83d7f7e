/** Every command with its words. What a command does is in the file of its name, loaded when it is called. */
import { Command, CommanderError } from '@commander-js/extra-typings';
import { EXIT, type ExitCode } from '../errors.ts';
import { version } from '../model/version.ts';
import { type CommandContext, createContext } from './context.ts';
import { addControlCommands } from './control-commands.ts';
import { addFleetCommands } from './fleet-commands.ts';
import { addHubCommands } from './hub-commands.ts';
import { addNotifyCommands } from './notify-commands.ts';
import { collectLabel, parseCount } from './option-values.ts';

const EXIT_CODES = `
Exit codes: 0 all well, 1 it did not work, 2 usage or configuration, 3 no remote could be reached,
4 refused, 5 busy, 124 timed out. Documentation: docs/ beside this program.`;

/** @throws PullyuError */
export async function runProgram(argv: readonly string[], signal: AbortSignal): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = new Command('pullyu')
    .description('pullyu makes a git repository the control plane of your servers.')
    .version(version)
    .option('--root <dir>', 'keep everything of this host below DIR (also PULLYU_ROOT)')
    .enablePositionalOptions()
    .showHelpAfterError('hint: pullyu --help')
    .addHelpText('after', EXIT_CODES)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(explain(text)) });

  const run = async (work: (context: CommandContext) => Promise<ExitCode>) => {
    exitCode = await work(createContext(program.opts().root, signal));
  };
  addHostCommands(program, run);
  addActionCommands(program, run);
  addSetupCommands(program, run);
  addRepositoryCommands(program, run);
  addControlCommands(program, run);
  addFleetCommands(program, run);
  addNotifyCommands(program, run);
  addHubCommands(program, run);
  for (const command of program.commands) finish(command, `pullyu ${command.name()}`);

  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    throw error;
  }
  return exitCode;
}

/** A wrong word is answered with the help of its own command. */
function finish(command: Program, words: string): void {
  command.exitOverride().showHelpAfterError(`hint: ${words} --help`);
  for (const inner of command.commands) finish(inner, `${words} ${inner.name()}`);
}

/** The one option that stands before the command is often written after it. */
function explain(text: string): string {
  return text.includes("unknown option '--root")
    ? `${text.trimEnd()}\nhint: --root DIR stands before the command: pullyu --root DIR COMMAND\n`
    : text;
}

export type Run = (work: (context: CommandContext) => Promise<ExitCode>) => Promise<void>;
// biome-ignore lint/suspicious/noExplicitAny: the options of the program itself are no matter here.
export type Program = Command<any, any, any>;

function addHostCommands(program: Program, run: Run): void {
  program
    .command('bootstrap')
    .description('make this machine follow a repository: configure, install the heartbeat, look once')
    .argument('<url>', 'of the repository; without user and password')
    .option('--name <repo>', 'name of the repo on this host (default: from the URL)')
    .option('--host <name>', 'name of this host (default: the host name)')
    .option('--label <key=value>', 'a label of this host; may be repeated', collectLabel, {})
    .option(
      '--track <ref>',
      'branch, refs/tags/NAME, commit id, "tag: v*", deploy/{deployment} (default: main)',
    )
    .option('--interval <duration>', 'between two looks (default: 60s)')
    .option('--nodeinfo <dir>', 'folder of node facts, one file each')
    .option('--credentials <file>', 'file with what the remote asks for')
    .option('--ssh-key <file>', 'private key for an ssh remote')
    .option('--known-hosts <file>', 'host keys of an ssh remote')
    .option(
      '--status <url>',
      'status repository, or nats:// servers with commas between them: the host publishes there',
    )
    .option('--status-heartbeat <duration>', 'from one presence to the next (default: 5m)')
    .option('--status-credentials <file>', 'file with what the status repository or NATS asks for')
    .option('--heartbeat <kind>', 'auto, systemd, cron, both or none', 'auto')
    .option('--json', 'see docs/json.md')
    .action((url, options) =>
      run(async (context) => (await import('./bootstrap.ts')).runBootstrap(url, options, context)),
    );
  program
    .command('agent')
    .description('look at every interval, in the foreground, until it is told to end')
    .option('--json', 'one JSON object a line')
    .action((options) => run(async (context) => (await import('./agent.ts')).runAgent(options, context)));
  program
    .command('look')
    .description('one pass: probe, fetch, publish, plan, run what is due')
    .option('--heartbeat', 'as cron calls it: do nothing while an agent does its duty')
    .option('--json', 'what happened, as JSON')
    .action((options) => run(async (context) => (await import('./look.ts')).runLook(options, context)));
  program
    .command('status')
    .description('this host on one screen')
    .option('--all', 'every action, also those that are not for this host')
    .option('--json', 'see docs/json.md')
    .action((options) => run(async (context) => (await import('./status.ts')).runStatus(options, context)));
  program
    .command('pause')
    .description('run nothing for a while; looks go on and say what would be done')
    .requiredOption('--for <duration>', 'such as 2h; a pause always ends')
    .requiredOption('--reason <text>', 'shown wherever the pause is')
    .option('--json', 'see docs/json.md')
    .action((options) => run(async (context) => (await import('./operator.ts')).runPause(options, context)));
  program
    .command('resume')
    .description('end the pause')
    .option('--json', 'see docs/json.md')
    .action((options) => run(async (context) => (await import('./operator.ts')).runResume(options, context)));
  program
    .command('accept')
    .description('allow the move to a commit that does not descend from the last one')
    .argument('<commit>', 'full commit id, or 7 digits of it or more')
    .option('--repo <name>', 'when the host follows several')
    .option('--json', 'see docs/json.md')
    .action((commit, options) =>
      run(async (context) => (await import('./operator.ts')).runAccept(commit, options, context)),
    );
}

function addActionCommands(program: Program, run: Run): void {
  program
    .command('plan')
    .description('what the next look would run, and why')
    .option('--commit <id>', 'at this commit, which must have been fetched')
    .option('--tree <dir>', 'of a working directory that is not pushed yet; needs no host')
    .option('--repo <name>', 'which repo --commit or --tree is of')
    .option('--host <labels...>', 'as a host with these labels (key=value)')
    .option('--all', 'also what rests')
    .option('--json', 'see docs/json.md')
    .action((options) => run(async (context) => (await import('./plan.ts')).runPlan(options, context)));
  program
    .command('why')
    .description('why an action runs, or why not')
    .argument('<action>', 'NAME or REPO/NAME')
    .option('--json', 'the lines as JSON')
    .action((action, options) =>
      run(async (context) => (await import('./why.ts')).runWhy(action, options, context)),
    );
  program
    .command('history')
    .description('history according to this machine, newest first')
    .argument('[action]', 'NAME or REPO/NAME')
    .option('-n, --lines <count>', 'how many', parseCount, 20)
    .option('--failed', 'only what did not end well')
    .option('--json', 'see docs/json.md')
    .action((action, options) =>
      run(async (context) => (await import('./history.ts')).runHistory(action, options, context)),
    );
  program
    .command('logs')
    .description('what the last run of an action printed')
    .argument('<action>', 'NAME, REPO/NAME or the id of a run')
    .option('-f, --follow', 'go on while it runs')
    .option('--json', 'see docs/json.md')
    .action((action, options) =>
      run(async (context) => (await import('./logs.ts')).runLogs(action, options, context)),
    );
  program
    .command('redo')
    .description('run an action at the next look, whatever its last run was')
    .argument('<action>', 'NAME or REPO/NAME')
    .option('--json', 'see docs/json.md')
    .action((action, options) =>
      run(async (context) => (await import('./operator.ts')).runRedo(action, options, context)),
    );
  program
    .command('done')
    .description('say that what an action did not bring to an end was done by hand')
    .argument('<action>', 'NAME or REPO/NAME')
    .requiredOption('--note <text>', 'kept in the history')
    .option('--json', 'see docs/json.md')
    .action((action, options) =>
      run(async (context) => (await import('./operator.ts')).runDone(action, options, context)),
    );
}

function addSetupCommands(program: Program, run: Run): void {
  const heartbeat = async (context: CommandContext, json: boolean | undefined) =>
    (await import('./heartbeat-context.ts')).heartbeatCommandContext(context, json === true);
  program
    .command('install')
    .description('install or repair the heartbeat of this host')
    .option('--heartbeat <kind>', 'auto, systemd, cron, both or none', 'auto')
    .option('--system', 'with --root: register it on this machine all the same')
    .option('--offset <seconds>', 'second of the minute at which cron looks')
    .option('--json', 'what was done')
    .action((options) =>
      run(async (context) =>
        (await import('./install.ts')).runInstall(options, await heartbeat(context, options.json)),
      ),
    );
  program
    .command('uninstall')
    .description('remove the heartbeat; journal and configuration stay')
    .option('--purge', 'remove the state folder too; host.yaml stays')
    .option('--system', 'with --root: also what is registered on this machine')
    .option('--json', 'what was done')
    .action((options) =>
      run(async (context) =>
        (await import('./uninstall.ts')).runUninstall(options, await heartbeat(context, options.json)),
      ),
    );
  program
    .command('doctor')
    .description('what is wrong with this host, and what to do')
    .option('--offline', 'do not ask remotes')
    .option('--system', 'with --root: look at this machine all the same')
    .option('--json', 'the findings')
    .action((options) =>
      run(async (context) =>
        (await import('./doctor.ts')).runDoctor(options, await heartbeat(context, options.json)),
      ),
    );
  program
    .command('cloud-init')
    .description('print user data that bootstraps a new machine')
    .argument('<url>', 'of the repository')
    .option('--name <repo>', 'as of bootstrap')
    .option('--host <name>', 'as of bootstrap')
    .option('--label <key=value>', 'as of bootstrap', collectLabel, {})
    .option('--track <ref>', 'as of bootstrap')
    .option('--interval <duration>', 'as of bootstrap')
    .option('--nodeinfo <dir>', 'as of bootstrap')
    .option('--heartbeat <kind>', 'as of bootstrap')
    .option(
      '--install <command>',
      'shell command that puts pullyu on the machine (default: its image has it)',
    )
    .option('--package <name...>', 'packages to install instead of the default ones')
    .option('--known-hosts <file>', 'host keys to put onto the machine')
    .option('--cloudformation', 'a CloudFormation template fragment')
    .option('--json', 'CloudFormation as JSON')
    .action((url, { label, package: packages, json, ...options }) =>
      run(async (context) =>
        (await import('./cloud-init.ts')).runCloudInit(
          url,
          { ...options, labels: label, ...(packages === undefined ? {} : { packages }) },
          { json: json === true, write: (text) => context.out.write(text) },
        ),
      ),
    );
}

function addRepositoryCommands(program: Program, run: Run): void {
  program
    .command('lint')
    .description('is this checkout fit to be pushed? Needs no host')
    .argument('[folder]', 'root of the repository (default: that of the checkout you are in)')
    .option('--host <labels...>', 'the hosts that there are, each as part=app,deployment=prod')
    .option('--host-file <file>', 'a host.yaml to check too')
    .option('--convention <name>', 'classic or nodework, for a repository without pullyu.yaml', 'classic')
    .option('--strict', 'warnings fail too')
    .option('--json', 'the findings')
    .action((folder, options) =>
      run(async (context) => (await import('./lint.ts')).runLint({ folder, ...options }, context)),
    );
  program
    .command('demo')
    .description(
      'the whole product on this machine: a git server, a host, six commits; leaves nothing behind',
    )
    .option('--stay', 'keep it up afterwards, until Ctrl-C')
    .action((options) =>
      run(async (context) => (await import('./demo.ts')).runDemoCommand(options, context)),
    );
}
