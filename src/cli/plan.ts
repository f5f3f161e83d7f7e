/** `pullyu plan`. */
import { readPicture, readPlan } from '../agent/status.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { CommandContext } from './context.ts';

export async function runPlan(
  options: { readonly all?: boolean | undefined; readonly json?: boolean | undefined },
  context: CommandContext,
): Promise<ExitCode> {
  const picture = await readPicture(context.paths, context.clock);
  const { plan } = await readPlan(context.paths, picture, context.clock, context.env);
  if (options.json)
    context.out.json({
      steps: plan.steps.map(({ repo, action, due, reason, sentence }) => ({
        repo,
        action,
        due,
        reason,
        sentence,
      })),
    });
  else for (const step of plan.steps) if (step.due || options.all) context.out.line(step.sentence);
  return EXIT.ok;
}
