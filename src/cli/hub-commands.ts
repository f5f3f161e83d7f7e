/** The words of `hub` and of its tokens. What they do is in the files of their names. */
import { collectText } from './option-values.ts';
import type { Program, Run } from './program.ts';

export function addHubCommands(program: Program, run: Run): void {
  const hub = program
    .command('hub')
    .description('a git server that a fleet can lean on, in the foreground, until it is told to end')
    .enablePositionalOptions()
    // Not a required one: commander would then ask for it before a token command too.
    .option('--repos <dir>', 'bare repositories are below it: DIR/NAME.git is served at /NAME.git')
    .option('--listen <address>', 'address and port', '127.0.0.1:7420')
    .option(
      '--anonymous-read',
      'everybody who reaches it may clone and fetch; nobody ever pushes without a token',
    )
    .option('--tls-cert <file>', 'certificate in PEM, with those that lead to its authority')
    .option('--tls-key <file>', 'its key in PEM')
    .option(
      '--mirror <name=url>',
      'keep a copy of a repository elsewhere; may be repeated',
      collectText,
      [] as string[],
    )
    .option('--mirror-interval <duration>', 'from one question to the next', '60s')
    .option(
      '--mirror-credentials <name=file>',
      'what the forge of a mirror asks for',
      collectText,
      [] as string[],
    )
    .option(
      '--hook-secret <name=file>',
      'secret of the webhook that calls /hooks/NAME',
      collectText,
      [] as string[],
    )
    .option('--json', 'one JSON object a line')
    .action((options) => run(async (context) => (await import('./hub.ts')).runHub(options, context)));
  const token = hub.command('token').description('who may read and push');
  token
    .command('create')
    .description('make a token; it is shown once and kept as a hash')
    .requiredOption('--repos <dir>', 'as of hub')
    .requiredOption(
      '--scope <scope>',
      'read, write, or status: push what one host writes in a status repository',
    )
    .requiredOption(
      '--repo <name>',
      "of which repository, or '*'; may be repeated",
      collectText,
      [] as string[],
    )
    .option('--host <name>', 'with --scope status: whose refs')
    .option('--expires <duration>', 'such as 30d, or never', '30d')
    .option('--note <text>', 'what it is for', '')
    .option('--json', 'see docs/json.md')
    .action((options) =>
      run(async (context) => (await import('./hub-token.ts')).runTokenCreate(options, context)),
    );
  token
    .command('list')
    .description('the tokens that there are')
    .requiredOption('--repos <dir>', 'as of hub')
    .option('--json', 'see docs/json.md')
    .action((options) =>
      run(async (context) => (await import('./hub-token.ts')).runTokenList(options, context)),
    );
  token
    .command('revoke')
    .description('a token is worth nothing from now on; a hub that runs notices at once')
    .argument('<id>', 'as `pullyu hub token list` shows it')
    .requiredOption('--repos <dir>', 'as of hub')
    .option('--json', 'see docs/json.md')
    .action((id, options) =>
      run(async (context) => (await import('./hub-token.ts')).runTokenRevoke(id, options, context)),
    );
}
