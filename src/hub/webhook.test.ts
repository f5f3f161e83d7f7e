import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { isProven, readHookProof } from './webhook.ts';

const SECRET = "It's a Secret to Everybody";
const BODY = 'Hello, World!';
const HMAC = createHmac('sha256', SECRET).update(BODY).digest('hex');
const read = (headers: Record<string, string>) => readHookProof(new Headers(headers));

test('the example in the documentation of GitHub is proven', () => {
  const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
  const proof = read({ 'X-Hub-Signature-256': signature, 'X-GitHub-Event': 'push' })!;
  expect(proof).toMatchObject({ forge: 'github', isPing: false });
  expect(isProven(proof, SECRET, HMAC)).toBe(true);
});

test.each([
  ['github', { 'X-Hub-Signature-256': `sha256=${HMAC}`, 'X-GitHub-Event': 'push' }],
  [
    'gitea',
    {
      'X-Gitea-Signature': HMAC,
      'X-Gitea-Event': 'push',
      'X-Hub-Signature-256': `sha256=${HMAC}`,
      'X-GitHub-Event': 'push',
    },
  ],
  ['gitea', { 'X-Forgejo-Signature': HMAC, 'X-Forgejo-Event': 'create' }],
  ['gitlab', { 'X-Gitlab-Token': SECRET, 'X-Gitlab-Event': 'Tag Push Hook' }],
  ['bitbucket', { 'X-Hub-Signature': `sha256=${HMAC}`, 'X-Event-Key': 'repo:push' }],
  ['bitbucket', { 'X-Hub-Signature': `sha256=${HMAC}`, 'X-Event-Key': 'repo:refs_changed' }],
])('a push at %s is proven by its secret, and by no other', (forge, headers) => {
  const proof = read(headers)!;
  expect(proof).toMatchObject({ forge, isPing: false });
  expect(isProven(proof, SECRET, HMAC)).toBe(true);
  const other = createHmac('sha256', 'other').update(BODY).digest('hex');
  expect(isProven(proof, 'other', other)).toBe(false);
  if (proof.kind === 'hmac') {
    const changed = createHmac('sha256', SECRET).update(`${BODY} `).digest('hex');
    expect(isProven(proof, SECRET, changed)).toBe(false);
  }
});

test.each([
  ['github', { 'X-Hub-Signature-256': `sha256=${HMAC}`, 'X-GitHub-Event': 'ping' }],
  ['bitbucket', { 'X-Hub-Signature': `sha256=${HMAC}`, 'X-Event-Key': 'diagnostics:ping' }],
  ['gitlab', { 'X-Gitlab-Token': SECRET, 'X-Gitlab-Event': 'Issue Hook' }],
])('what moves no ref at %s fetches nothing', (forge, headers) => {
  expect(read(headers)).toMatchObject({ forge, isPing: true });
});

test.each([
  ['nothing', {}],
  [
    'a signature of SHA-1',
    { 'X-Hub-Signature': 'sha1=0123456789012345678901234567890123456789', 'X-GitHub-Event': 'push' },
  ],
  ['another algorithm', { 'X-Hub-Signature-256': `md5=${HMAC}`, 'X-GitHub-Event': 'push' }],
  ['a signature that is cut off', { 'X-Gitea-Signature': HMAC.slice(1), 'X-Gitea-Event': 'push' }],
  ['an empty signature', { 'X-Gitea-Signature': '', 'X-Gitea-Event': 'push' }],
])('%s proves nothing', (_, headers) => {
  expect(read(headers as unknown as Record<string, string>)).toBeNull();
});
