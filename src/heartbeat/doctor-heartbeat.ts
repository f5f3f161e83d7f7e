/** Does anything call the agent? What is configured, what is really scheduled, and what really happened are three questions. */
import { isLate, lateAfterMs } from './duty.ts';
import { bad, type Finding, formatAge, formatTime, good } from './finding.ts';

export interface HeartbeatFacts {
  readonly now: number;
  readonly intervalMs: number;
  readonly lastLookAt: number | null;
  /** The holder of the lock is a daemon, and alive. */
  readonly daemonAlive: boolean;
  readonly unit: {
    readonly name: string;
    readonly file: string;
    /** ActiveState and UnitFileState as systemd says them; null when it cannot be asked. */
    readonly active: string | null;
    readonly enabled: string | null;
    readonly systemdRuns: boolean;
    /** A unit of the user's own systemd, which ends with the last login. */
    readonly endsAtLogout: boolean;
  } | null;
  readonly cron: {
    readonly where: string;
    readonly script: string;
    readonly scriptRuns: boolean;
    readonly daemonAlive: boolean;
  } | null;
  /** False: below a `--root`, where nothing on the machine looks. */
  readonly registered: boolean;
  /** Files that are not what `pullyu install` would write now. */
  readonly outdated: readonly string[];
  /** The last version that worked is used in place of the installed one. */
  readonly fallback: { readonly since: number; readonly nextTrialAt: number } | null;
  /** Proxies of this shell that the heartbeat will not have. */
  readonly missingProxies: readonly string[];
}

export function judgeHeartbeat(facts: HeartbeatFacts): Finding[] {
  return [
    judgeConfigured(facts),
    ...(facts.unit === null ? [] : [judgeUnit(facts.unit, facts.registered)]),
    ...(facts.cron === null ? [] : [judgeCron(facts.cron, facts.registered)]),
    judgeLooks(facts),
    ...(facts.fallback === null ? [] : [judgeFallback(facts.fallback)]),
    ...judgeProxies(facts.missingProxies),
  ];
}

function judgeConfigured(facts: HeartbeatFacts): Finding {
  const kinds = [
    ...(facts.unit ? [`systemd unit ${facts.unit.file}`] : []),
    ...(facts.cron ? [`a line of cron in ${facts.cron.where}`] : []),
  ];
  if (kinds.length === 0) {
    return bad(facts.daemonAlive ? 'warn' : 'fail', 'heartbeat', {
      found: facts.daemonAlive
        ? 'an agent is running, but nothing starts it again'
        : 'nothing calls the agent',
      expected: 'a systemd unit or a line of cron',
      hint: 'pullyu install',
    });
  }
  if (facts.outdated.length === 0) return good('heartbeat', kinds.join(', and '));
  return bad('warn', 'heartbeat', {
    found: `not as this pullyu writes it: ${facts.outdated.join(', ')}`,
    expected: 'the files of this version, with its paths and interval',
    hint: 'pullyu install, unless they were changed by intent',
  });
}

function judgeUnit(unit: NonNullable<HeartbeatFacts['unit']>, registered: boolean): Finding {
  const check = 'heartbeat by systemd';
  if (!registered) return notRegistered(check, unit.file);
  if (!unit.systemdRuns) {
    return bad('fail', check, {
      found: 'systemd is not the init of this machine',
      expected: 'something that reads the unit',
      hint: 'pullyu install --heartbeat cron',
    });
  }
  if (unit.active !== 'active' && unit.active !== 'reloading') {
    return bad('fail', check, {
      found: `${unit.name} is ${unit.active ?? 'not known to systemd'}`,
      expected: 'active',
      hint: `journalctl -u ${unit.name} -n 50; then systemctl start ${unit.name}`,
    });
  }
  if (unit.enabled !== null && unit.enabled !== 'enabled') {
    return bad('warn', check, {
      found: `${unit.name} is active, but ${unit.enabled}: it does not come back after a reboot`,
      expected: 'enabled',
      hint: `systemctl enable ${unit.name}`,
    });
  }
  if (unit.endsAtLogout) {
    return bad('warn', check, {
      found: `${unit.name} ends when its user logs out`,
      expected: 'a systemd of the user that lingers',
      hint: 'loginctl enable-linger',
    });
  }
  return good(check, `${unit.name} is active`);
}

function judgeCron(cron: NonNullable<HeartbeatFacts['cron']>, registered: boolean): Finding {
  const check = 'heartbeat by cron';
  if (!cron.scriptRuns) {
    return bad('warn', check, {
      found: `the line is there, but no program ${cron.script}: switched off by a rename?`,
      expected: 'the script that the line calls',
      hint: 'rename it back, or pullyu install --heartbeat cron',
    });
  }
  if (!registered) return notRegistered(check, cron.where);
  if (!cron.daemonAlive) {
    return bad('fail', check, {
      found: 'the line is there, but no cron daemon is alive',
      expected: 'a daemon that reads it',
      hint: 'start cron (service cron start) and let it start at boot',
    });
  }
  return good(check, 'a cron daemon is alive');
}

function notRegistered(check: string, file: string): Finding {
  return bad('warn', check, {
    found: `${file} lies below a --root: nothing on this machine reads it`,
    expected: 'a heartbeat that is registered',
    hint: 'pullyu --root DIR install --system, or keep `pullyu agent` running by yourself',
  });
}

function judgeLooks({ now, lastLookAt, intervalMs }: HeartbeatFacts): Finding {
  if (lastLookAt === null) {
    return bad('fail', 'looks', {
      found: 'no look was ever finished',
      expected: 'one at each interval',
      hint: 'pullyu look',
    });
  }
  const ago = lastLookAt > now ? 'in the future' : `${formatAge(now - lastLookAt)} ago`;
  if (!isLate(now, lastLookAt, intervalMs)) return good('looks', `the last one was ${ago}`);
  return bad('fail', 'looks', {
    found: `the last one was ${ago}`,
    expected: `one within ${formatAge(lateAfterMs(intervalMs))}`,
    hint: 'see the heartbeat above and its log; `pullyu look` looks now',
  });
}

function judgeFallback({ since, nextTrialAt }: NonNullable<HeartbeatFacts['fallback']>): Finding {
  return bad('fail', 'program', {
    found: `the installed pullyu reached no remote in its first starts (the last at ${formatTime(since)}): the last version that did looks in its place`,
    expected: 'an installed pullyu that works',
    hint: `see the log of the heartbeat, and install another version: it is tried at once. This one is tried again at ${formatTime(nextTrialAt)}`,
  });
}

function judgeProxies(missing: readonly string[]): Finding[] {
  if (missing.length === 0) return [];
  return [
    bad('warn', 'proxy', {
      found: `set in this shell, but not for the heartbeat: ${missing.join(', ')}`,
      expected: 'the same proxies for both',
      hint: 'pullyu install keeps them in the environment file; or set `proxy` in host.yaml',
    }),
  ];
}
