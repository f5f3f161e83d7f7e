/** pullyu.yaml: the one description of its keys. The parser, the JSON Schema and the reference page are made from it. */
import { Cron } from 'croner';
import * as v from 'valibot';
import { formatDuration } from './duration.ts';
import { defaultRetry, defaultSettleMs, defaultTimeoutMs } from './limits.ts';
import {
  asWritten,
  byKey,
  closed,
  count,
  duration,
  name,
  namedMap,
  runLimitEntries,
  selector,
} from './schema-parts.ts';
import { whatIsWrongWithGlob, whatIsWrongWithPath } from './tree-path.ts';

const DAY = 86_400_000;

const path = v.pipe(
  v.string('the path of a script'),
  v.check(
    (text) => whatIsWrongWithPath(text) === null,
    (issue) => whatIsWrongWithPath(issue.input) ?? '',
  ),
);

const WORD = 'a word of a command: a text without NUL, of at most 4096 characters';
const word = asWritten(
  v.pipe(
    v.string(WORD),
    v.maxLength(4096, WORD),
    v.check((text) => !text.includes('\0'), WORD),
  ),
  WORD,
);

const COMMAND = 'the path of a script, or a list of words';
const command = v.union(
  [
    path,
    v.pipe(
      v.array(word, COMMAND),
      v.minLength(1, 'at least one word'),
      v.maxLength(200, 'at most 200 words'),
    ),
  ],
  COMMAND,
);

const glob = v.pipe(
  v.string('a glob such as apps/shop/**'),
  v.check(
    (text) => whatIsWrongWithGlob(text) === null,
    (issue) => whatIsWrongWithGlob(issue.input) ?? '',
  ),
);

const SCHEDULE = 'a schedule of five (or six) fields such as "17 3 * * *"';
const schedule = v.pipe(
  v.string(SCHEDULE),
  v.check(
    (text) => whatIsWrongWithSchedule(text) === null,
    (issue) => whatIsWrongWithSchedule(issue.input) ?? '',
  ),
  v.description(
    'Minute, hour, day of month, month, day of week, as in crontab; six fields begin with the second.',
  ),
);

/** The same reader as the planner's. That it ever occurs is asked from 1970 on: the answer must not depend on the day. */
function whatIsWrongWithSchedule(text: string): string | null {
  if (text.length > 200 || !/^\s*(@[a-z]+|\S+(\s+\S+){4,5})\s*$/.test(text)) return SCHEDULE;
  try {
    return new Cron(text).nextRun(new Date(0)) === null ? 'a schedule that comes at some time' : null;
  } catch {
    return SCHEDULE;
  }
}

const ZONE = 'a time zone such as Europe/Berlin or UTC';
const zone = v.pipe(
  v.string(ZONE),
  v.check(isTimeZone, ZONE),
  v.description("A time zone. Absent: the host's own."),
);

function isTimeZone(text: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: text });
    return true;
  } catch {
    return false;
  }
}

const FACT = 'the name of a fact: letters, digits, ".", "_" and "-"';
const fact = asWritten(v.pipe(v.string(FACT), v.regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, FACT)), FACT);

const TRIGGER =
  'change, look, boot, {schedule: "17 3 * * *", tz: Europe/Berlin} or {presence: {part: app}, settle: 10s}';
const scheduleTrigger = closed({ schedule, tz: v.optional(zone) }, TRIGGER);
const presenceTrigger = closed(
  {
    presence: v.pipe(
      selector,
      v.description('Labels of the live hosts that the action depends on; {} for all of them.'),
    ),
    settle: v.optional(
      v.pipe(duration(100, DAY), v.description('A change counts when it has lasted for so long.')),
      formatDuration(defaultSettleMs),
    ),
    facts: v.optional(
      v.pipe(
        v.array(fact, 'a list of names of facts'),
        v.maxLength(50, 'at most 50 facts'),
        v.description('The facts of those hosts that count too. Absent: none.'),
      ),
      [],
    ),
  },
  TRIGGER,
);
const words = v.picklist(['change', 'look', 'boot'], TRIGGER);
/** None of the mappings for certain: to find the key that was meant. */
const noTrigger = v.pipe(
  closed(
    {
      schedule: v.optional(schedule),
      tz: v.optional(zone),
      presence: v.optional(v.unknown()),
      settle: v.optional(v.unknown()),
      facts: v.optional(v.unknown()),
    },
    TRIGGER,
  ),
  v.check(() => false, TRIGGER),
);
const trigger = byKey(
  v.union([words, scheduleTrigger, presenceTrigger], TRIGGER),
  { schedule: scheduleTrigger, presence: presenceTrigger },
  v.union([words, noTrigger], TRIGGER),
);

const USER = 'the name of a user';
const ENV_NAME = 'the name of a variable: letters, digits and "_", not beginning with a digit';
const envName = v.pipe(
  v.string(ENV_NAME),
  v.regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, ENV_NAME),
  v.check(
    (text) => !text.startsWith('PULLYU_'),
    'a name that does not begin with PULLYU_ (those are set by pullyu)',
  ),
);
const ENV_VALUE = 'a text without NUL, of at most 32768 characters';
const envValue = asWritten(
  v.pipe(
    v.string(ENV_VALUE),
    v.maxLength(32_768, ENV_VALUE),
    v.check((text) => !text.includes('\0'), ENV_VALUE),
  ),
  ENV_VALUE,
);

const retry = closed(
  {
    delay: v.optional(
      v.pipe(
        duration(100, DAY),
        v.description('Wait after the first failure; doubled after each further one.'),
      ),
      formatDuration(defaultRetry.delayMs),
    ),
    max: v.optional(
      v.pipe(
        duration(100, DAY),
        v.description(
          `The longest wait; without it ${formatDuration(defaultRetry.delayMaxMs)}, or \`delay\` when that is longer.`,
        ),
      ),
    ),
    attempts: v.optional(
      v.pipe(
        count(1, 1000),
        v.description('After so many failures the action is parked until something changes.'),
      ),
      defaultRetry.attempts,
    ),
  },
  'a mapping with delay, max and attempts',
);

const action = closed(
  {
    run: v.pipe(
      command,
      v.description(
        'What to run: the path of an executable in the repository, or a list of a program and its arguments (the first may be a path in the repository or a program of the host).',
      ),
      v.examples(['apps/shop/deploy.sh', ['python3', 'lb/write-config.py', '--reload']]),
    ),
    hosts: v.optional(
      v.pipe(
        selector,
        v.description('Labels that a host must have; of a list, any one. Absent: every host.'),
        v.examples([{ part: 'app', deployment: ['prod', 'staging'] }]),
      ),
    ),
    paths: v.optional(
      v.pipe(
        v.array(glob, 'a list of globs'),
        v.minLength(1, 'at least one glob'),
        v.maxLength(200, 'at most 200 globs'),
        v.description(
          "What is relevant: the action is due when the content of these paths differs from that of its last success. Absent: the script's own folder, or everything when the script is in the root or run names a program.",
        ),
        v.examples([['apps/shop/**', 'lib/**']]),
      ),
    ),
    on: v.optional(
      v.pipe(
        v.array(trigger, `a list such as [change]`),
        v.minLength(1, 'at least one trigger'),
        v.maxLength(20, 'at most 20 triggers'),
        v.description(
          'When: `change` of its fingerprint, every `look`, each `boot` of the machine, a schedule such as {schedule: "17 3 * * *", tz: Europe/Berlin}, or a change among the live hosts such as {presence: {part: app}, settle: 10s, facts: [port]}.',
        ),
        v.examples([
          ['look'],
          ['change', { schedule: '17 3 * * *', tz: 'Europe/Berlin' }],
          ['change', { presence: { part: 'app' }, settle: '30s', facts: ['port'] }],
        ]),
      ),
      ['change'],
    ),
    check: v.optional(
      v.pipe(
        command,
        v.description('Asked before a run: exit 0 says that the action is needed, 1 that it is not.'),
      ),
    ),
    timeout: v.optional(
      v.pipe(duration(100, 7 * DAY), v.description('A run is ended after so long: TERM, then KILL.')),
      formatDuration(defaultTimeoutMs),
    ),
    user: v.optional(
      v.pipe(
        v.string(USER),
        v.regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/, USER),
        v.description('The user that runs it. Absent: the user of the agent.'),
      ),
    ),
    env: v.optional(
      v.pipe(
        namedMap(envName, envValue, 'a mapping of variables such as {PORT: 8080}'),
        v.description('Environment variables on top of those that pullyu sets. No place for secrets.'),
        v.examples([{ PORT: '8080' }]),
      ),
      {},
    ),
    after: v.optional(
      v.pipe(
        v.array(asWritten(name, 'the name of an action'), 'a list of names of actions'),
        v.maxLength(100, 'at most 100 names'),
        v.description('Actions of this repository that must have succeeded before.'),
      ),
      [],
    ),
    kind: v.optional(
      v.pipe(
        v.picklist(['idempotent', 'once', 'check'], 'idempotent, once or check'),
        v.description(
          'What an interruption means. `idempotent`: it is run again until it succeeds. `once`: it is started at most once per fingerprint. `check`: its check decides.',
        ),
      ),
      'idempotent',
    ),
    catchUp: v.optional(
      v.pipe(
        v.picklist(['latest', 'each'], 'latest or each'),
        v.description('`each`: every commit that touched its paths is run, in order (migrations).'),
      ),
      'latest',
    ),
    undo: v.optional(
      v.pipe(command, v.description('Run when a host that did it is no longer among its hosts.')),
    ),
    retry: v.optional(v.pipe(retry, v.description('What happens after a failure.')), {}),
    limits: v.optional(
      v.pipe(
        closed(
          runLimitEntries({
            memory:
              'Memory of a run with everything that it started: a size, a share of the machine such as 50%, or none. Above it the kernel ends processes of the run. Swap is not counted.',
            processes:
              'Processes and threads of a run at one time: a number, a share of what the machine can have such as 15%, or none. Above it the run can start no more.',
            files: 'Open files of each process of a run: a number, or none.',
          }),
          'a mapping with memory, processes and files',
        ),
        v.description(
          'What a run may use of the machine. What is not said here is as `limits` of host.yaml has it. A host that cannot keep a limit which is written here refuses to run the action.',
        ),
        v.examples([{ memory: '1G', processes: 500, files: 4096 }]),
      ),
    ),
  },
  'a mapping with run',
);

export const repoSchema = v.pipe(
  closed(
    {
      actions: v.optional(
        v.pipe(
          namedMap(name, action, 'a mapping from the names of actions'),
          v.description('The actions of this repository, by a name of your choice.'),
        ),
        {},
      ),
    },
    'a mapping with actions',
  ),
  v.title('pullyu.yaml'),
  v.description('What a repository does on the hosts that follow it. It lies in the root of the repository.'),
);

export type ActionValues = v.InferOutput<typeof action>;
