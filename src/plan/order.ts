import type { Action } from '../model/action.ts';

/**
 * In the order of declaration, but each after those that its `after` names; of a convention, what runs until its first
 * success (init) before the rest (work). Names of no action are passed over, and so is the last link of a circle:
 * configuration refuses both, and here nothing may hang.
 */
export function orderActions(actions: readonly Action[]): readonly Action[] {
  const byName = new Map(actions.map((action) => [action.name, action]));
  const ordered: Action[] = [];
  const met = new Set<Action>();
  const visit = (action: Action) => {
    if (met.has(action)) return;
    met.add(action);
    for (const name of action.after) {
      const earlier = byName.get(name);
      if (earlier) visit(earlier);
    }
    ordered.push(action);
  };
  for (const action of actions.filter(isInit)) visit(action);
  for (const action of actions) visit(action);
  return ordered;
}

function isInit(action: Action): boolean {
  return action.origin === 'convention' && action.on.some((trigger) => trigger.type === 'bootstrap');
}
