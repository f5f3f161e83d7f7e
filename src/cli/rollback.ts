/** `pullyu rollback`: takes back the last commit that concerned this host, with a commit that every host takes. */
import { type RollbackPlan, rollBack } from '../agent/rollback.ts';
import { askAgent } from '../agent/socket.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { shortId } from '../model/ids.ts';
import { printable } from '../model/printable.ts';
import type { CommandContext } from './context.ts';
import { printPlan, stepJson } from './plan.ts';
import { chooseRepo, tryContext, WAKE_MS } from './try.ts';

export interface RollbackCommandOptions {
  readonly to?: string;
  readonly branch?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export async function runRollback(
  name: string | undefined,
  options: RollbackCommandOptions,
  context: CommandContext,
): Promise<ExitCode> {
  const { out, paths } = context;
  const c = await tryContext(context);
  const { repos } = c.picture.view.config;
  const repo = chooseRepo(name, repos, repos, 'name it: pullyu rollback REPO');
  const { to = null, branch = null, dryRun = false } = options;
  const onPlan = (found: RollbackPlan) => {
    if (!options.json) showRollback(found, context);
  };
  const report = await rollBack(repo, { to, branch, dryRun, onPlan }, c);
  const { pushed } = report;
  if (pushed !== null && branch === null) await askAgent(paths.state, 'POST', '/look', WAKE_MS);
  if (options.json) {
    out.json({
      repo: report.repo,
      branch: report.branch,
      reverted: report.reverted.map(({ id, subject }) => ({ commit: id, subject })),
      steps: report.plan.steps.map((step) => stepJson(step)),
      pushed,
    });
  } else if (pushed === null) out.line('nothing was pushed: a dry run');
  else {
    out.line(`pushed ${shortId(pushed)} to ${report.branch}`);
    if (branch === null) out.notice('the hosts that it concerns take it at their next look');
  }
  return EXIT.ok;
}

function showRollback({ repo, reverted, plan }: RollbackPlan, context: CommandContext): void {
  const { out } = context;
  for (const { id, subject } of reverted)
    out.line(`${repo}: reverts ${out.bold(shortId(id))} ${printable(subject)}`);
  printPlan({ plan, heading: 'then, on this host', notices: [], unreal: null }, false, context);
}
