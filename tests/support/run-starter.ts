/** A program of tests: an agent that opens a journal, starts one run from a spec file, and waits until it is killed. */
import { readFileSync } from 'node:fs';
import { openJournal } from '../../src/journal/open.ts';
import { isStarted, type RunSpec } from '../../src/runner/spec.ts';
import { startRun } from '../../src/runner/start.ts';

const [specFile, journalFile] = process.argv.slice(2) as [string, string];
const spec = JSON.parse(readFileSync(specFile, 'utf8')) as RunSpec;
const journal = openJournal(journalFile, { now: Date.now });
journal.append({ type: 'started', intent: spec.intent });
const run = startRun(spec, { launcher: 'direct' });
if (!isStarted(run)) throw new Error(run.note ?? 'refused');
process.stdout.write('started\n');
setInterval(() => {}, 1_000);
