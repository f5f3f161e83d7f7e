/** The programs of the machine that an installation calls, and with which environment. */
export interface ToolOptions {
  readonly env: Readonly<Record<string, string>>;
  /** The program, and words before its arguments. Default `['crontab']`. */
  readonly crontab?: readonly string[];
  /** Default `['systemctl']`. */
  readonly systemctl?: readonly string[];
}

/** What a program said, as one harmless line for an error. */
export function firstLine(text: string): string {
  return text
    .trim()
    .split('\n')[0]!
    .slice(0, 300)
    .replaceAll(/\p{Cc}/gu, '?');
}
