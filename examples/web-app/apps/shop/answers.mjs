// answers.mjs WHERE SECONDS RELEASE PID: exit 0 as soon as that very release answers at WHERE (a port or a socket); exit 1 when it
// does not in that time, or its process has ended.
import { readFileSync } from 'node:fs';
import { get } from 'node:http';

const [where, seconds, release, pid] = process.argv.slice(2);
const target = /^\d+$/.test(where) ? { host: '127.0.0.1', port: Number(where) } : { socketPath: where };
const deadline = Date.now() + Number(seconds) * 1000;

function ask() {
  get({ ...target, path: '/', agent: false, timeout: 2000 }, (response) => {
    response.resume();
    const answering = response.headers['x-release'];
    if (response.statusCode === 200 && answering === release) return;
    again(
      answering === undefined ? 'another program' : `status ${response.statusCode} of release ${answering}`,
    );
  })
    .on('timeout', (request) => request.destroy(new Error('no answer')))
    .on('error', (error) => again(error.code ?? error.message));
}

function again(found) {
  if (isRunning() && Date.now() < deadline) return setTimeout(ask, 20);
  if (isRunning()) console.error(`expected release ${release} at ${where}, found ${found}`);
  process.exitCode = 1;
}

/** What has ended may still be listed, but without a command line. */
function isRunning() {
  try {
    return readFileSync(`/proc/${pid}/cmdline`).length > 0;
  } catch {
    return false;
  }
}

ask();
