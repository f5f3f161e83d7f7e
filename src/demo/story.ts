/**
 * The story of the demo: six commits in the life of a host, then the fleet that it becomes a part of. Every sentence about what happened is checked before it is told; the first
 * that does not hold ends the story.
 */
import { shortId } from '../model/ids.ts';
import { version } from '../model/version.ts';
import { delay } from '../system/clock.ts';
import type { Page } from './page.ts';
import type { Push, Scene } from './scene.ts';
import type { Stage } from './stage.ts';
import { formatSeconds, INTERVAL_MS, nodeLabel } from './story-parts.ts';
import type { Storyteller } from './storyteller.ts';

export const HOST = 'web-1';

export async function tellStory(stage: Stage, scene: Scene, tell: Storyteller, port: number): Promise<void> {
  tell.say(
    `pullyu ${version}, a demonstration: a host and its repository, six commits, then a small fleet. All of it happens on this machine, below ${stage.folder}, and is gone afterwards.`,
  );

  const first = await publishShop(stage, scene, tell);
  await becomeHost(stage, scene, tell, port, first);
  const sale = await changePage(stage, scene, tell, first);
  await changeReadme(scene, tell, sale);
  await breakAndMend(scene, tell, sale);
  await revertSale(stage, scene, tell, sale);
}

async function publishShop(stage: Stage, scene: Scene, tell: Storyteller): Promise<Push> {
  tell.chapter('A repository on a git server');
  await stage.git('add', '--all');
  await stage.git('commit', '--quiet', '-m', 'A small shop');
  tell.command(`git push ${stage.url} main`);
  const push = await scene.push();
  tell.quote(
    `${shortId(push.commit)} A small shop: examples/web-app, a web server and the script that deploys it`,
  );
  return push;
}

async function becomeHost(
  stage: Stage,
  scene: Scene,
  tell: Storyteller,
  port: number,
  first: Push,
): Promise<void> {
  tell.chapter('An empty machine becomes a host');
  const labels = [
    '--label',
    'part=app',
    '--label',
    `port=${port}`,
    '--label',
    'address=127.0.0.1',
    ...nodeLabel(),
  ];
  const more = ['--interval', `${INTERVAL_MS}ms`, '--heartbeat', 'none', '--host', HOST];
  tell.command(`pullyu bootstrap ${stage.url} \\`, `${labels.join(' ')} \\`, more.join(' '));
  tell.quote(await scene.ask(['bootstrap', stage.url, ...labels, ...more]));
  tell.command(`curl http://127.0.0.1:${port}/`);
  const page = await scene.page();
  scene.expect(page.headline === 'Welcome to the shop', 'the first page', page);
  scene.expect(page.release === first.commit, `release ${first.commit}`, page.release);
  tell.found(`The page says "${describePage(page)}".`);
}

async function changePage(stage: Stage, scene: Scene, tell: Storyteller, first: Push): Promise<Push> {
  tell.chapter('A push changes the page');
  tell.command('pullyu agent &');
  const agent = stage.host(HOST).startAgent();
  await scene.untilSaid({ ...first, heard: 0 }, /^agent .* follows/, 'that it follows the repo');
  tell.quote(agent.lines()[0]?.text ?? '');
  scene.edit('apps/shop/page.html', 'Welcome to the shop', 'Summer sale');
  const push = await scene.commitAndPush('Summer sale');
  const { page, at } = await scene.untilPage('the sale', (found) => found.headline === 'Summer sale');
  await untilApplied(scene, push);
  scene.expect(page.release === push.commit, `release ${push.commit}`, page.release);
  tell.note('(seconds after the end of the push, and what the agent says)');
  scene.chronicle(push, [{ at, text: `the page says "${describePage(page)}"` }]);
  tell.found(
    `The page was new ${formatSeconds(at - push.at)} after the end of the push. The host looks every ${INTERVAL_MS} ms.`,
  );
  return push;
}

async function changeReadme(scene: Scene, tell: Storyteller, sale: Push): Promise<void> {
  tell.chapter('A commit that has nothing to do with the shop runs nothing');
  const before = await scene.history();
  scene.edit('README.md', '# web-app', '# Our shop\n\nNotes for people.\n\n# web-app');
  const push = await scene.commitAndPush('Notes for people, in the README');
  await untilApplied(scene, push);
  scene.chronicle(push);
  const after = await scene.history();
  scene.expect(after.length === before.length, `${before.length} runs, as before`, after);
  const why = await scene.show(['why', 'shop']);
  const reason = `rests, nothing that it depends on changed since its last success at ${shortId(sale.commit)}`;
  scene.expect(why.includes(reason), `"${reason}"`, why);
  scene.expect((await scene.page()).release === sale.commit, `release ${sale.commit}`, await scene.page());
  tell.found(`Nothing ran: the page is still that of ${shortId(sale.commit)}.`);
}

async function breakAndMend(scene: Scene, tell: Storyteller, sale: Push): Promise<void> {
  tell.chapter('A commit with a typing error does no harm, and is tried again');
  scene.edit('apps/shop/page.html', 'Open all day.', 'Closed on Sundays.');
  scene.edit('apps/shop/server.mjs', 'const servers', "const closedOn = 'Sunday;\n\nconst servers");
  tell.note('(a quote is missing in apps/shop/server.mjs)');
  const broken = await scene.commitAndPush('Closed on Sundays');
  await scene.untilSaid(
    broken,
    /shop: runs again, attempt 1 failed/,
    'that it tries the failed action again',
  );
  const tried = await untilRuns(scene, broken, 2);
  scene.chronicle(broken);
  scene.expect(
    tried.every((run) => run.outcome === 'failed'),
    'two attempts that failed',
    tried,
  );
  const page = await scene.page();
  scene.expect(page.release === sale.commit, `the page of ${sale.commit}, which works`, page);
  await scene.show(['status']);
  tell.found(`The page still says "${describePage(page)}": the old release was never stopped.`);

  tell.chapter('The next commit mends it, without waiting for the next attempt');
  scene.edit('apps/shop/server.mjs', "'Sunday;", "'Sunday';");
  const mended = await scene.commitAndPush('The forgotten quote');
  const { page: now, at } = await scene.untilPage(
    'the new hours',
    (found) => found.hours === 'Closed on Sundays.',
  );
  await untilApplied(scene, mended);
  scene.expect(now.release === mended.commit, `release ${mended.commit}`, now.release);
  scene.chronicle(mended, [{ at, text: `the page says "${describePage(now)}"` }]);
  tell.found(`The page was new ${formatSeconds(at - mended.at)} after the end of the push.`);
}

async function revertSale(stage: Stage, scene: Scene, tell: Storyteller, sale: Push): Promise<void> {
  tell.chapter('The sale is over: a revert brings the old page back');
  tell.command(`git revert --no-edit ${shortId(sale.commit)} && git push`);
  await stage.git('revert', '--no-edit', sale.commit);
  const push = await scene.push();
  const { page, at } = await scene.untilPage(
    'the old headline',
    (found) => found.headline === 'Welcome to the shop',
  );
  await untilApplied(scene, push);
  scene.chronicle(push, [{ at, text: `the page says "${describePage(page)}"` }]);
  await scene.show(['history']);
  const runs = await scene.history();
  scene.expect(
    runs[0]?.commit === push.commit && runs[0].outcome === 'ok',
    `a good run of ${push.commit}`,
    runs[0],
  );
  tell.found('That is all the host ever did, newest first, according to its own journal.');
}

async function untilApplied(scene: Scene, push: Push): Promise<void> {
  await scene.untilSaid(
    push,
    new RegExp(`applied ${shortId(push.commit)}`),
    `applied ${shortId(push.commit)}`,
  );
}

/** Waits for so many ended runs of that commit. */
async function untilRuns(scene: Scene, push: Push, count: number) {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const runs = (await scene.history()).filter((run) => run.commit === push.commit && run.outcome !== null);
    if (runs.length >= count) return runs;
    scene.expect(Date.now() < deadline, `${count} attempts of ${push.commit}`, runs);
    await delay(50);
  }
}

function describePage(page: Page): string {
  return `${page.headline}. ${page.hours}`;
}
