import { expect, test } from 'vitest';
import type { Tracking } from '../model/repo.ts';
import { exampleCommit } from './example-values.ts';
import { chooseTarget, type TargetQuestion } from './target.ts';
import { resolveTracking } from './tracking.ts';

const remote = 'https://git.example.com/it.git';
const [known, other] = [exampleCommit(1), exampleCommit(2)];

function choose(values: Partial<TargetQuestion>) {
  const question: TargetQuestion = {
    answer: other,
    remote,
    tracking: { kind: 'branch', name: 'main' },
    previous: known,
    relation: 'descendant',
    accepted: null,
    ...values,
  };
  const { kind, target, trouble } = chooseTarget(question);
  return [kind, target, trouble?.code ?? null];
}

test('the target moves to descendants, and anywhere the first time', () => {
  expect(choose({})).toEqual(['move', other, null]);
  expect(choose({ previous: null, relation: 'unknown' })).toEqual(['move', other, null]);
  expect(choose({ answer: known, relation: 'same' })).toEqual(['stay', known, null]);
});

test('a remote that answers an older commit is lagging, a rewritten history is refused: both keep the target', () => {
  expect(choose({ relation: 'older' })).toEqual(['trouble', known, 'lagging']);
  expect(choose({ relation: 'unrelated' })).toEqual(['trouble', known, 'rewritten']);
  expect(choose({ relation: 'unknown' })).toEqual(['trouble', known, 'git-failed']);
});

test('a refusal says what was found and how to go there all the same', () => {
  const choice = chooseTarget({
    answer: other,
    remote,
    tracking: { kind: 'branch', name: 'main' },
    previous: known,
    relation: 'unrelated',
    accepted: null,
  });
  expect(choice.trouble).toMatchObject({
    message: 'branch main is 2000000, which does not descend from the target 1000000',
    hint: `to go there all the same: pullyu accept ${other}`,
    remote,
  });
});

test('what the operator accepted is taken, with what was pushed on top of it, and nothing else', () => {
  expect(choose({ relation: 'unrelated', accepted: other })).toEqual(['move', other, null]);
  expect(choose({ relation: 'older', accepted: other })).toEqual(['move', other, null]);
  const third = exampleCommit(3);
  expect(choose({ relation: 'unrelated', accepted: third, descendsFromAccepted: true })).toEqual([
    'move',
    other,
    null,
  ]);
  expect(choose({ relation: 'unrelated', accepted: third })).toEqual(['trouble', known, 'rewritten']);
});

test('a commit id in host.yaml is the word of the operator', () => {
  const tracking: Tracking = { kind: 'commit', id: other };
  expect(choose({ relation: 'older', tracking })).toEqual(['move', other, null]);
});

test.each([
  [{ ref: 'main' }, { kind: 'branch', name: 'main' }],
  [{ ref: 'refs/heads/a/b' }, { kind: 'branch', name: 'a/b' }],
  [{ ref: 'refs/tags/v1' }, { kind: 'exact-tag', name: 'v1' }],
  [{ ref: 'deploy/{deployment}' }, { kind: 'branch', name: 'deploy/prod' }],
  [{ ref: 'A'.repeat(40) }, { kind: 'commit', id: 'a'.repeat(40) }],
  [{ ref: '{pin}' }, { kind: 'commit', id: 'b'.repeat(64) }],
  [{ tag: 'v*' }, { kind: 'tag', pattern: 'v*' }],
  [{ tag: '{deployment}-v*' }, { kind: 'tag', pattern: 'prod-v*' }],
])('%j is tracked as %j', (rule, tracking) => {
  const labels = { deployment: 'prod', pin: 'b'.repeat(64) };
  expect(resolveTracking(rule, labels)).toEqual({ ok: true, value: tracking });
});

test.each([
  [
    { ref: 'deploy/{deployment}' },
    'track: deploy/{deployment} needs the label "deployment", which this host has not',
  ],
  [
    { ref: '{hasOwnProperty}' },
    'track: {hasOwnProperty} needs the label "hasOwnProperty", which this host has not',
  ],
  [{ ref: '{evil}' }, 'track: expected a label "evil" that can be part of a ref, found "a b\\x0a"'],
  [{ tag: '{glob}' }, 'track: expected a label "glob" that can be part of a ref, found "*"'],
  [{ ref: '' }, 'track: expected a branch or tag, found ""'],
  [{ ref: '--upload-pack=x' }, 'track: expected a branch or tag, found "--upload-pack=x"'],
  [{ ref: 'refs/pull/1/head' }, 'track: expected a branch or tag, found "refs/pull/1/head"'],
  [{ ref: 'a..b' }, 'track: expected a branch or tag, found "a..b"'],
  [{ ref: 'a/.b' }, 'track: expected a branch or tag, found "a/.b"'],
  [{ ref: 'a.lock' }, 'track: expected a branch or tag, found "a.lock"'],
  [{ ref: 'main:x' }, 'track: expected a branch or tag, found "main:x"'],
  [{ tag: '' }, 'track: expected a pattern of tags, found ""'],
])('%j is a trouble', (rule, message) => {
  const result = resolveTracking(rule, { evil: 'a b\n', glob: '*' });
  expect(result).toMatchObject({ ok: false, trouble: { code: 'config', message } });
});
