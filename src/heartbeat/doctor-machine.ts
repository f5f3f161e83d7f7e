/** The machine: programs, folders, clock, space. */
import { formatBytes } from '../model/bytes.ts';
import { bad, type Finding, formatTime, good } from './finding.ts';

export interface FolderFacts {
  readonly path: string;
  readonly what: 'config' | 'state';
  /** null: it is not there. */
  readonly mode: number | null;
  readonly uid: number | null;
  readonly writable: boolean;
}

export interface MachineFacts {
  readonly now: number;
  /** Who we are. */
  readonly uid: number;
  /** Without the `v`. */
  readonly nodeVersion: string;
  /** `2.39`; or why there is none that can be used. */
  readonly git:
    | { readonly version: readonly [number, number] }
    | { readonly problem: string; readonly hint: string };
  /** A remote is reached over ssh. */
  readonly sshNeeded: boolean;
  readonly sshFound: boolean;
  readonly folders: readonly FolderFacts[];
  /** The newest time stamp of a file of ours; null when there is none. */
  readonly newestFileAt: number | null;
  /** On the file system of the state folder; null when it cannot be asked. */
  readonly freeBytes: number | null;
  readonly freeBytesNeeded: number;
  /** null: the file system does not count them. */
  readonly freeInodes: number | null;
  /** Which limits of runs can be kept; and which keys of host.yaml ask for. */
  readonly limits: {
    readonly memory: boolean;
    readonly processes: boolean;
    readonly asked: readonly ('memory' | 'processes')[];
  };
  /** Files that hold secrets, and their modes. */
  readonly secrets: readonly { readonly path: string; readonly mode: number | null }[];
}

/** Debian 12's. Older ones work, but distributions no longer mend them. */
const GIT_GOOD: readonly [number, number] = [2, 39];
const INODES_MIN = 10_000;
const CLOCK_SLACK_MS = 300_000;
const EARLIEST = Date.UTC(2024, 0, 1);

export function judgeMachine(facts: MachineFacts): Finding[] {
  return [
    judgeNode(facts.nodeVersion),
    judgeGit(facts.git),
    ...(facts.sshNeeded ? [judgeSsh(facts.sshFound)] : []),
    judgeClock(facts),
    ...facts.folders.map((folder) => judgeFolder(folder, facts.uid)),
    ...facts.secrets.flatMap(judgeSecret),
    ...judgeSpace(facts),
    judgeLimits(facts.limits),
  ];
}

function judgeNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return good('node', version);
  return bad('fail', 'node', { found: version, expected: '20.19 or newer', hint: 'install a newer node' });
}

function judgeGit(git: MachineFacts['git']): Finding {
  if ('problem' in git)
    return bad('fail', 'git', { found: git.problem, expected: 'git 2.20 or newer', hint: git.hint });
  const [major, minor] = git.version;
  const found = `${major}.${minor}`;
  if (major > GIT_GOOD[0] || (major === GIT_GOOD[0] && minor >= GIT_GOOD[1])) return good('git', found);
  return bad('warn', 'git', {
    found,
    expected: `${GIT_GOOD.join('.')} or newer`,
    hint: 'it works, but its known holes may not be mended: upgrade git',
  });
}

function judgeSsh(found: boolean): Finding {
  if (found) return good('ssh', 'installed');
  return bad('fail', 'ssh', {
    found: 'no program ssh',
    expected: 'OpenSSH, for a remote is reached over ssh',
    hint: 'install openssh-client',
  });
}

function judgeClock({ now, newestFileAt }: MachineFacts): Finding {
  if (now < EARLIEST) {
    return bad('fail', 'clock', {
      found: formatTime(now),
      expected: 'a time after 2024',
      hint: 'set the clock (systemd-timesyncd, chrony): certificates and schedules depend on it',
    });
  }
  if (newestFileAt !== null && newestFileAt > now + CLOCK_SLACK_MS) {
    return bad('warn', 'clock', {
      found: `${formatTime(now)}, but a file of ours was written at ${formatTime(newestFileAt)}`,
      expected: 'no file from the future',
      hint: 'the clock was set back, or was wrong before: see that NTP is running',
    });
  }
  return good('clock', formatTime(now));
}

function judgeFolder(folder: FolderFacts, uid: number): Finding {
  const check = `rights of ${folder.what}`;
  const { path, mode } = folder;
  if (mode === null) {
    return bad(folder.what === 'state' ? 'fail' : 'warn', check, {
      found: `no folder ${path}`,
      expected: 'a folder',
      hint: 'pullyu bootstrap URL',
    });
  }
  const octal = (mode & 0o7777).toString(8);
  if (folder.uid !== uid) {
    return bad(uid === 0 ? 'fail' : 'warn', check, {
      found: `${path} belongs to user ${folder.uid}`,
      expected: `user ${uid}, as whom this runs`,
      hint: uid === 0 ? `chown ${uid} ${path}` : 'run it as the user that owns the host (sudo pullyu doctor)',
    });
  }
  if (mode & 0o022) {
    return bad('fail', check, {
      found: `${path} has mode ${octal}: others can write it`,
      expected: 'only its owner writes there, for what lies in it is executed',
      hint: `chmod go-w ${path}`,
    });
  }
  if (!folder.writable) {
    return bad('fail', check, {
      found: `${path} cannot be written`,
      expected: 'a folder that its owner can write',
      hint: 'is the file system mounted read-only? A disk that turned read-only by itself is often failing',
    });
  }
  return good(check, `${path} (${octal})`);
}

function judgeSecret({ path, mode }: MachineFacts['secrets'][number]): Finding[] {
  if (mode === null) {
    return [
      bad('fail', 'credentials', {
        found: `no file ${path}`,
        expected: 'the file that host.yaml names',
        hint: 'bring it, or correct host.yaml',
      }),
    ];
  }
  if ((mode & 0o077) === 0) return [good('credentials', path)];
  return [
    bad('warn', 'credentials', {
      found: `${path} has mode ${(mode & 0o7777).toString(8)}: others can read it`,
      expected: '600',
      hint: `chmod 600 ${path}`,
    }),
  ];
}

/** Without them everything works, so it is a warning only where somebody asked for a limit. */
function judgeLimits({ memory, processes, asked }: MachineFacts['limits']): Finding {
  if (memory && processes) return good('limits of runs', 'memory and processes, by control groups');
  const missing = [memory ? null : 'memory', processes ? null : 'processes'].filter((one) => one !== null);
  const found = `no control groups for ${missing.join(' and ')}: a run may use all there is`;
  if (!asked.some((key) => missing.includes(key))) return good('limits of runs', found);
  return bad('warn', 'limits of runs', {
    found,
    expected: 'the limits that host.yaml asks for',
    hint: 'let a systemd of the machine run the agent, or give its container a cgroup hierarchy that it can write',
  });
}

function judgeSpace(facts: MachineFacts): Finding[] {
  const { freeBytes, freeBytesNeeded, freeInodes } = facts;
  if (freeBytes === null) return [];
  const findings: Finding[] = [];
  const found = `${formatBytes(freeBytes)} free`;
  if (freeBytes >= 2 * freeBytesNeeded) findings.push(good('space', found));
  else {
    findings.push(
      bad(freeBytes < freeBytesNeeded ? 'fail' : 'warn', 'space', {
        found,
        expected: `${formatBytes(freeBytesNeeded)}, below which nothing is fetched, and some more`,
        hint: 'free some space, or lower limits.freeSpaceMin in host.yaml',
      }),
    );
  }
  if (freeInodes !== null && freeInodes < INODES_MIN) {
    findings.push(
      bad('warn', 'inodes', {
        found: `${freeInodes} free`,
        expected: `${INODES_MIN} or more`,
        hint: 'remove files: a file system without inodes is as full as one without space',
      }),
    );
  }
  return findings;
}
