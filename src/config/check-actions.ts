/** What only makes sense together: checked after each key by itself was found good. */
import type { Action } from '../model/action.ts';
import { formatDuration } from './duration.ts';
import { nearest } from './nearest.ts';
import type { Problem } from './problem.ts';
import { whatIsWrongWithPath } from './tree-path.ts';
import type { YamlText } from './yaml-text.ts';

export function checkActions(actions: readonly Action[], text: YamlText): Problem[] {
  const names = new Set(actions.map((action) => action.name));
  return [...actions.flatMap((action) => checkAction(action, names, text)), ...findCycles(actions, text)];
}

function checkAction(action: Action, names: ReadonlySet<string>, text: YamlText): Problem[] {
  const problems: Problem[] = [];
  const add = (path: readonly (string | number)[], message: string, what: 'key' | 'value' = 'value') => {
    const name = `actions.${[action.name, path[0]].join('.')}`;
    problems.push({ ...text.at(['actions', action.name, ...path], what), message: `${name}: ${message}` });
  };
  for (const key of ['run', 'check', 'undo'] as const) {
    const first = action[key]?.[0];
    if (first === undefined) continue;
    if (first === '') add([key], 'expected a path or program as first word, found an empty text');
    const wrong = first.includes('/') && !first.startsWith('/') ? whatIsWrongWithPath(first) : null;
    if (wrong !== null) add([key], wrong);
  }
  if (action.kind === 'check' && action.check === null) {
    add(['kind'], 'expected the key "check" beside kind: check, found none');
  }
  if (action.catchUp === 'each' && !action.on.some((trigger) => trigger.type === 'change')) {
    add(['catchUp'], 'expected the trigger change among "on" for catchUp: each, found none');
  }
  if (action.retry.delayMaxMs < action.retry.delayMs) {
    const { delayMs, delayMaxMs } = action.retry;
    add(
      ['retry'],
      `expected max to be at least delay (${formatDuration(delayMs)}), found ${formatDuration(delayMaxMs)}`,
    );
  }
  action.after.forEach((name, index) => {
    if (names.has(name)) return;
    const near = nearest(name, names);
    const advice = near === null ? '' : `; did you mean "${near}"?`;
    add(['after', index], `expected the name of an action of this file, found "${name}"${advice}`);
  });
  return problems;
}

/** One problem per circle, at the first action of it in the file. */
function findCycles(actions: readonly Action[], text: YamlText): Problem[] {
  const byName = new Map(actions.map((action) => [action.name, action]));
  const done = new Set<string>();
  const problems: Problem[] = [];
  for (const { name } of actions) {
    const circle = done.has(name) ? null : circleFrom(name, byName, done);
    if (circle === null) continue;
    const message = `actions.${circle[0]}.after: expected an order, found a circle: ${[...circle, circle[0]].join(' after ')}`;
    problems.push({ ...text.at(['actions', circle[0]!, 'after'], 'key'), message });
  }
  return problems;
}

/** Depth first with a stack of its own: a chain may be as long as the file. Marks all that it has seen as done. */
function circleFrom(start: string, byName: ReadonlyMap<string, Action>, done: Set<string>): string[] | null {
  const path: { name: string; next: number }[] = [{ name: start, next: 0 }];
  const onPath = new Set([start]);
  let found: string[] | null = null;
  while (path.length > 0) {
    const top = path.at(-1)!;
    const name = byName.get(top.name)?.after[top.next];
    top.next += 1;
    if (name === undefined) {
      path.pop();
      onPath.delete(top.name);
      done.add(top.name);
    } else if (onPath.has(name)) {
      found ??= path.slice(path.findIndex((step) => step.name === name)).map((step) => step.name);
    } else if (!done.has(name)) {
      path.push({ name, next: 0 });
      onPath.add(name);
    }
  }
  return found;
}
