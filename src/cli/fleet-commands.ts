/** The words of the commands about the fleet. What each does is in the file of its name. */
import { Command } from '@commander-js/extra-typings';
import { collectLabel, parseCount } from './option-values.ts';
import type { Program, Run } from './program.ts';

const WHERE = `
Where hosts publish: --status, else PULLYU_STATUS (several URLs with a space between them), else \`status\` in host.yaml.
No host is needed: it works on a laptop and in CI.`;

/** Of every command that reads the fleet. */
function reading(name: string) {
  return new Command(name)
    .option('--label <key=value>', 'only hosts with this label; may be repeated', collectLabel, {})
    .option('--status <url...>', 'where the hosts publish')
    .option('--credentials <file>', 'file with what --status asks for')
    .option('--ssh-key <file>', 'private key, when --status is an ssh remote')
    .option('--known-hosts <file>', 'host keys, when --status is an ssh remote')
    .option('--hosts <file>', 'the hosts.yaml that says who is expected')
    .option('--json', 'see docs/json.md')
    .addHelpText('after', WHERE);
}

export function addFleetCommands(program: Program, run: Run): void {
  program.addCommand(
    reading('fleet')
      .description('every host on one screen, those that need somebody first')
      .argument('[host]', 'what one host says, its history and its last failing log')
      .option('--expect <commit>', 'exit 1 while hosts that this commit concerns do not have it')
      .option('--repo <name>', 'which repo the commit is of, when hosts follow several')
      .option('--all', 'also what does not fit on the screen')
      .option('-n, --lines <count>', 'of the history of one host', parseCount, 20)
      .action((host, options) =>
        run(async (context) => (await import('./fleet.ts')).runFleet(host, options, context)),
      ),
  );
  program.addCommand(
    reading('watch')
      .description('the live fleet, or a commit on its way over it')
      .argument('[commit]', 'an id, or a ref of the checkout you are in, such as HEAD')
      .option('--timeout <duration>', 'with a commit, default 10m')
      .option('--repo <name>', 'which repo the commit is of, when hosts follow several')
      .option('--fail-fast', 'end at the first host that failed')
      .option('--skip-silent', 'do not wait for hosts of which nothing is heard')
      .addHelpText(
        'after',
        '\nExit codes: 0 every host that it concerns is there, 1 one failed, 124 timed out, 130 ended by Ctrl-C.',
      )
      .action((commit, options) =>
        run(async (context) => (await import('./watch.ts')).runWatch(commit, options, context)),
      ),
  );
  program.addCommand(
    reading('roster')
      .description('for scripts: hosts that are verified and not silent')
      .option('--format <format>', "json, lines, or a template such as '{name} {address}'", 'lines')
      .action((options) => run(async (context) => (await import('./roster.ts')).runRoster(options, context))),
  );
  program
    .command('wake')
    .description('over NATS: hosts that follow a repo look now')
    .argument('<repo>', 'as it is called in the host.yaml of the hosts')
    .option('--ref <ref>', 'only hosts that follow this branch or tag')
    .option('--commit <id>', 'only hosts that do not know this commit')
    .option('--nats <url...>', 'servers (default: PULLYU_NATS, then status.nats in host.yaml)')
    .option('--credentials <file>', 'what --nats asks for (also PULLYU_NATS_CREDENTIALS)')
    .option('--tls-ca <file>', 'the certificates that --nats is trusted by')
    .option('--json', 'see docs/json.md')
    .addHelpText(
      'after',
      '\nExit codes: 0 a server has it, 3 none could be reached, 4 refused. Nobody waits for what the hosts do then.',
    )
    .action((repo, options) =>
      run(async (context) => (await import('./wake.ts')).runWake(repo, options, context)),
    );
}
