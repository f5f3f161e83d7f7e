/** The protocol version that a client asks for, read as git's own server reads it. Pure. */

/** What git answers by: 0 and 1 differ by one line, 2 by everything. */
export type ProtocolVersion = 0 | 1 | 2;

/** Entries with a colon between them; the highest version that is known wins. @param header Git-Protocol, null for none. */
export function parseProtocolVersion(header: string | null): ProtocolVersion {
  let version: ProtocolVersion = 0;
  for (const entry of (header ?? '').split(':')) {
    if (entry === 'version=1' && version < 1) version = 1;
    if (entry === 'version=2') version = 2;
  }
  return version;
}

/** What is put into the environment of git: nothing of the header but what we have understood. */
export function formatProtocolVersion(version: ProtocolVersion): string {
  return `version=${version}`;
}
