/** The one line of cron, and how it gets into a crontab that is not ours alone. */
import { PullyuError } from '../errors.ts';
import { quoteShell } from './shell-quote.ts';

/** Debian's cron cuts commands at 1000 characters. */
const CRON_COMMAND_MAX = 900;

/**
 * The command of the line: quiet, and does nothing once the script was renamed.
 * @throws PullyuError for a path that a line of cron cannot hold.
 */
export function renderCronCommand(script: string): string {
  // Cron turns % into a new line and takes \ as an escape, before any shell sees them and whatever the quotes say.
  if (/[%\\\p{Cc}]/u.test(script) || script.length * 2 > CRON_COMMAND_MAX - 40) {
    throw new PullyuError('usage', `a line of cron cannot hold the path ${JSON.stringify(script)}`, {
      hint: 'choose a --root without %, \\ and control characters, and of at most 400 characters',
    });
  }
  const word = quoteShell(script);
  return `[ ! -x ${word} ] || exec ${word}`;
}

/** A file for cron's folder: its line names the user. */
export function renderCronFile(script: string): string {
  return `# The heartbeat of pullyu. Rename the script and it stops; "pullyu uninstall" removes both.
* * * * * root ${renderCronCommand(script)}
`;
}

/** A line for a user's own crontab. The mark at its end is a comment for the shell and finds the line again. */
export function renderCrontabLine(script: string, name: string): string {
  return `* * * * * ${renderCronCommand(script)} # ${name}`;
}

/** The crontab with exactly one line of ours, at its old place when there was one. Foreign lines stay byte for byte. */
export function addCrontabLine(crontab: string, line: string, name: string): string {
  const lines = splitLines(crontab);
  const at = lines.findIndex((old) => isOurs(old, name));
  const others = lines.filter((old) => !isOurs(old, name));
  others.splice(at === -1 ? others.length : at, 0, line);
  return joinLines(others);
}

export function removeCrontabLine(crontab: string, name: string): string {
  if (!hasCrontabLine(crontab, name)) return crontab;
  return joinLines(splitLines(crontab).filter((line) => !isOurs(line, name)));
}

export function hasCrontabLine(crontab: string, name: string): boolean {
  return splitLines(crontab).some((line) => isOurs(line, name));
}

function isOurs(line: string, name: string): boolean {
  return !line.trimStart().startsWith('#') && line.trimEnd().endsWith(` # ${name}`);
}

function splitLines(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

function joinLines(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
