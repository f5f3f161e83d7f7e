/** The words of the commands for repositories and people that want control. What each does is in the file of its name. */
import type { Program, Run } from './program.ts';

export function addControlCommands(program: Program, run: Run): void {
  const detect = program
    .command('detect')
    .description('for scripts in a checkout: print the commit to act upon, or nothing');
  detect
    .command('fetch')
    .description('is the commit of the remote another one than HEAD?')
    .option('--branch <name>', 'of origin (default: the branch that is followed)')
    .option('--no-fetch', 'compare with what was fetched before')
    .option('--json', 'see docs/json.md')
    .action((options) =>
      run(async (context) => (await import('./detect.ts')).runDetectFetch(options, context)),
    );
  detect
    .command('last-action')
    .description('is HEAD another commit than the one recorded by the last action?')
    .option('--action <name>', 'of this action (default: of the checkout as a whole)')
    .option('--json', 'see docs/json.md')
    .action((options) =>
      run(async (context) => (await import('./detect.ts')).runDetectLastAction(options, context)),
    );
  detect
    .command('path')
    .description('was one of the paths changed since the last action?')
    .argument('<path...>', 'as seen from here')
    .option('--action <name>', 'of this action (default: of the checkout as a whole)')
    .option('--json', 'see docs/json.md')
    .action((paths, options) =>
      run(async (context) => (await import('./detect.ts')).runDetectPath(paths, options, context)),
    );
  program
    .command('lock')
    .description('for scripts in a checkout: run a command, one at a time, and record what was acted upon')
    .argument('<action>', 'a name; what has another name runs beside it')
    .argument('<command...>', 'after --')
    .passThroughOptions()
    .addHelpText('after', '\nExit codes: that of the command; 5 when the action is at work already.')
    .action((action, command) =>
      run(async (context) => (await import('./lock.ts')).runLock(action, command, context)),
    );
  program
    .command('run')
    .description('run an action now, in the foreground')
    .argument('<action>', 'NAME or REPO/NAME')
    .option('--as-agent', 'exactly as the agent would, standard input empty; recorded as `manual`')
    .option('--tree <dir>', 'with the files and the definition in this directory; never recorded')
    .option('--json', 'how it ended, see docs/json.md; its output goes to standard error')
    .addHelpText(
      'after',
      `
Without --as-agent: the same user, tree and PULLYU_ variables, but your terminal, standard input and PATH;
not recorded, because it proves nothing about the agent. The output goes to standard output, the rest to standard error.
Exit codes: 0 ok, 1 it did not succeed, 5 an action is running.`,
    )
    .action((action, options) =>
      run(async (context) => (await import('./run.ts')).runRun(action, options, context)),
    );
  program
    .command('rollback')
    .description('take back the last commit that concerned this host: revert it, show what follows, push')
    .argument('[repo]', 'when the host follows several')
    .option('--to <commit>', 'take back everything after this commit')
    .option('--branch <name>', 'push to a branch for review instead of the tracked one')
    .option('--dry-run', 'only show what would be reverted, and what this host would then do')
    .option('--json', 'see docs/json.md')
    .action((repo, options) =>
      run(async (context) => (await import('./rollback.ts')).runRollback(repo, options, context)),
    );
  const trying = program
    .command('try')
    .description('test a change on this very host before it is pushed: open a scratch checkout')
    .argument('[repo]', 'when the host follows several')
    .option('--json', 'where it is')
    .addHelpText(
      'after',
      `
The checkout is a clone of its own on the branch try/HOST-N. Edit it, run its actions on this host with "try run", and push with
"try push" what worked. What "try run" does to this host is real; nothing of it is in the history.`,
    )
    .action((repo, options) =>
      run(async (context) => (await import('./try.ts')).runTryBegin(repo, options, context)),
    );
  trying
    .command('run')
    .description('run an action of the checkout as it is now, edits included, as the agent would')
    .argument('<action>', 'NAME or REPO/NAME')
    .option('--json', 'how it ended, see docs/json.md; its output goes to standard error')
    .action((action, options) =>
      run(async (context) => (await import('./try.ts')).runTryRun(action, options, context)),
    );
  trying
    .command('push')
    .description('put what worked on the tracked branch, on top of what others pushed meanwhile')
    .option('-m, --message <text>', 'commits what is not committed yet')
    .option('--branch <name>', 'a branch for review instead')
    .option('--force', 'also what was not tried, or did not work')
    .option('--repo <name>', 'when several tries are open')
    .option('--json', 'see docs/json.md')
    .action((options) => run(async (context) => (await import('./try.ts')).runTryPush(options, context)));
  trying
    .command('status')
    .description('what is changed, what was tried and how it went')
    .option('--repo <name>', 'only this one')
    .option('--json', 'see docs/json.md')
    .action((options) => run(async (context) => (await import('./try.ts')).runTryStatus(options, context)));
  trying
    .command('end')
    .description('remove the checkout; what was tried and not pushed is undone by the next look')
    .option('--force', 'also what is nowhere else')
    .option('--repo <name>', 'when several tries are open')
    .option('--json', 'see docs/json.md')
    .action((options) => run(async (context) => (await import('./try.ts')).runTryEnd(options, context)));
  for (const command of [...detect.commands, ...trying.commands]) command.exitOverride();
}
