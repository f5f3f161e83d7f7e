/** The words of the commands about news. */
import { Command } from '@commander-js/extra-typings';
import type { Program, Run } from './program.ts';

export function addNotifyCommands(program: Program, run: Run): void {
  const notify = new Command('notify').description('how people are told what is news about the fleet');
  notify
    .command('test')
    .description('send a test message through each channel of `notify` in host.yaml, and say what happened')
    .option('--json', 'see docs/json.md')
    .action((options) =>
      run(async (context) => (await import('./notify.ts')).runNotifyTest(options, context)),
    );
  program.addCommand(notify);
}
