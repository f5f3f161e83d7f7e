/** `pullyu why ACTION`. */
import { readPicture, readPlan } from '../agent/status.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { actionKey } from '../model/action.ts';
import { explainAction } from '../plan/explain.ts';
import type { CommandContext } from './context.ts';
import { findAction } from './find-action.ts';
import { actionsOfRuns } from './history.ts';

export async function runWhy(
  text: string,
  options: { readonly json?: boolean },
  context: CommandContext,
): Promise<ExitCode> {
  const picture = await readPicture(context.paths, context.clock);
  const { plan, actions } = await readPlan(context.paths, picture, context.clock, context.env);
  const gone = plan.steps
    .filter((step) => step.definition === null)
    .map((step) => ({ repo: step.repo, name: step.action }));
  const { repo, name } = findAction(text, [...actions, ...gone], {
    ran: actionsOfRuns(picture.journal.runs()),
  });
  const steps = plan.steps.filter((step) => step.repo === repo && step.action === name);
  const lines = explainAction(
    steps,
    picture.journal.memory().get(actionKey(repo, name)) ?? null,
    picture.now,
  );
  if (options.json)
    context.out.json({
      repo,
      action: name,
      steps: steps.map(({ due, reason, sentence }) => ({ due, reason, sentence })),
      lines,
    });
  else for (const line of lines) context.out.line(line);
  return EXIT.ok;
}
