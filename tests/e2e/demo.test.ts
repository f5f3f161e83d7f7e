/** `npm start`, as a newcomer sees it. */
import { expect, test } from 'vitest';
import { startDemo } from '../support/demo.ts';

const STORY = [
  /1\. A repository on a git server\n/,
  /2\. An empty machine becomes a host\n/,
  /\$ pullyu bootstrap http:\/\/127\.0\.0\.1:\d+\/it\.git/,
  /shop: runs for the first time on this host\./,
  /The page says "Welcome to the shop\. Open all day\."/,
  /3\. A push changes the page\n/,
  /shop: runs, its content differs from that of its last success \([0-9a-f]{7}\)\./,
  /The page was new \d+\.\d\d s after the end of the push\./,
  /4\. A commit that has nothing to do with the shop runs nothing\n/,
  /\| shop: rests, nothing that it depends on changed since its last success at [0-9a-f]{7}\./,
  /5\. A commit with a typing error does no harm, and is tried again\n/,
  /shop failed, exit code 1/,
  /\| SyntaxError: /,
  /shop: runs again, attempt 1 failed with exit code 1 and its wait is over\./,
  /failed {2}it\/shop/,
  /The page still says "Summer sale\. Open all day\."/,
  /6\. The next commit mends it, without waiting for the next attempt\n/,
  /the page says "Summer sale\. Closed on Sundays\."/,
  /7\. The sale is over: a revert brings the old page back\n/,
  /the page says "Welcome to the shop\. Closed on Sundays\."/,
  /8\. Two more machines: a second shop, and a balancer that finds both\n/,
  /--host web-2; pullyu agent &\n/,
  /shop ok in/,
  /--host lb-1; pullyu agent &\n/,
  /balancer ok in/,
  /Visitors of (?:HAProxy|the balancer) get the page from web-1 and from web-2\./,
  /\$ pullyu fleet\n +\| 3 hosts: /,
  /9\. A commit is followed until every host has it\n/,
  /\$ pullyu watch HEAD --timeout 1m\n/,
  /done: [0-9a-f]{7} is on all 3 hosts that it concerns\n/,
  /10\. A machine dies: the balancer drops it, and visitors do not notice\n/,
  /balancer: runs, the live hosts with part=app changed since its last success \(.*left web-2.*\)\./,
  /\| silent {3}web-2 /,
  /sends to: web-1\n/,
  /\d+ visitors came in these \d+\.\d\d s, and all of them got the page\./,
  /Everything happened as it should, in \d+ s\./,
  /For real it is three lines:\n\n +pullyu bootstrap \S+ .*\n +git push .*\n +pullyu status .*\n/,
  /Everything that was started is ended, and \S+ is removed\.\n$/,
];

test('npm start tells the whole story, checks it, and leaves nothing behind', async () => {
  await using demo = startDemo();
  const { exitCode } = await demo.child.ended;
  const text = demo.child.output();
  expect(exitCode, text).toBe(0);
  let at = 0;
  for (const step of STORY) {
    const found = text.slice(at).search(step);
    expect(found, `${step} after: ...${text.slice(Math.max(0, at - 200), at)}\nin: ${text}`).not.toBe(-1);
    at += found;
  }
  expect(text).not.toMatch(/undefined|\[object|NaN/);
  expect(demo.left()).toEqual([]);
});
