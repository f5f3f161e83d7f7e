/**
 * One slot: a folder with the files of one commit, and a real `.git` of its own, so that scripts can use git in it and
 * cannot hurt the clone. The objects are the clone's, by alternates.
 */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import type { CommitId } from '../model/ids.ts';
import { readFileOrNull, writeFileAtomic } from '../system/files.ts';
import { ATTRIBUTES, ATTRIBUTES_LFS, sweepLocks } from './clone-files.ts';
import { TEMP_NAME } from './scan-path.ts';

export interface Slot {
  readonly name: SlotName;
  /** The tree itself. */
  readonly path: string;
  /** Its `.git`. */
  readonly gitDir: string;
  readonly index: string;
}

export type SlotName = 'a' | 'b' | 'c';

export interface SlotSettings {
  /** clone.git */
  readonly clone: string;
  /** What `origin` is for scripts. Without credentials. */
  readonly remoteUrl: string;
  readonly objectFormat: 'sha1' | 'sha256';
  readonly blobless: boolean;
  readonly lfs: boolean;
}

export function slotAt(trees: string, name: SlotName): Slot {
  const path = join(trees, name);
  return { name, path, gitDir: join(path, '.git'), index: join(path, '.git/index') };
}

/**
 * Makes the folder and its `.git` what they should be, whatever was there. Run by every publish: each file is written
 * only when it differs.
 */
export function prepareSlot(slot: Slot, settings: SlotSettings): void {
  if (lstatSync(slot.path, { throwIfNoEntry: false })?.isDirectory() === false) rmSync(slot.path);
  if (lstatSync(slot.gitDir, { throwIfNoEntry: false })?.isDirectory() === false) rmSync(slot.gitDir);
  for (const folder of ['objects/info', 'objects/pack', 'refs/heads', 'refs/tags', 'info']) {
    mkdirSync(join(slot.gitDir, folder), { recursive: true, mode: 0o755 });
  }
  // Other users' scripts run here, whatever umask the agent has.
  for (const folder of [slot.path, slot.gitDir]) chmodSync(folder, 0o755);
  sweepLocks(slot.gitDir);
  const wanted: Record<string, string> = {
    config: configText(settings),
    'objects/info/alternates': `${join(settings.clone, 'objects')}\n`,
    'info/exclude': `/${TEMP_NAME}\n`,
    'info/attributes': settings.lfs ? ATTRIBUTES_LFS : ATTRIBUTES,
  };
  for (const [name, content] of Object.entries(wanted)) {
    const path = join(slot.gitDir, name);
    if (readFileOrNull(path) !== content) writeFileAtomic(path, content, { durable: false });
  }
}

/** Detached, as after `git checkout COMMIT`. */
export function writeSlotHead(slot: Slot, commit: CommitId): void {
  if (readFileOrNull(join(slot.gitDir, 'HEAD')) === `${commit}\n`) return;
  writeFileAtomic(join(slot.gitDir, 'HEAD'), `${commit}\n`, { durable: false });
}

export function hasSlotHead(slot: Slot, commit: CommitId): boolean {
  return readFileOrNull(join(slot.gitDir, 'HEAD')) === `${commit}\n`;
}

/**
 * `.temp` of the tree leads to the one folder that survives updates. A repository that tracks files in a folder of that
 * name keeps its folder.
 * @returns false in that case.
 */
export function linkTemp(slot: Pick<Slot, 'path' | 'gitDir'>, temp: string): boolean {
  const link = join(slot.path, TEMP_NAME);
  const target = relative(slot.path, temp);
  mkdirSync(temp, { recursive: true, mode: 0o755 });
  const there = lstatSync(link, { throwIfNoEntry: false });
  if (there?.isDirectory()) return false;
  if (there?.isSymbolicLink() && readlinkSync(link) === target) return true;
  const fresh = join(slot.gitDir, 'temp-link');
  rmSync(fresh, { force: true });
  symlinkSync(target, fresh);
  renameSync(fresh, link);
  return true;
}

export function hasIndex(slot: Slot): boolean {
  return existsSync(slot.index);
}

function configText(settings: SlotSettings): string {
  const extended = settings.blobless || settings.objectFormat === 'sha256';
  return [
    '# Written by pullyu. Changes are undone at the next publish.',
    '[core]',
    `\trepositoryformatversion = ${extended ? 1 : 0}`,
    '\tfilemode = true',
    '\tbare = false',
    '\tlogallrefupdates = false',
    ...(extended ? ['[extensions]'] : []),
    ...(settings.objectFormat === 'sha256' ? ['\tobjectformat = sha256'] : []),
    ...(settings.blobless ? ['\tpartialclone = origin'] : []),
    '[gc]',
    '\tauto = 0',
    '[maintenance]',
    '\tauto = false',
    '[advice]',
    '\tdetachedHead = false',
    '[remote "origin"]',
    `\turl = ${quoteConfig(settings.remoteUrl)}`,
    '\tfetch = +refs/heads/*:refs/remotes/origin/*',
    ...(settings.blobless ? ['\tpromisor = true', '\tpartialclonefilter = blob:none'] : []),
    '',
  ].join('\n');
}

/** A value of a git config file. URLs were checked to hold no control characters. */
function quoteConfig(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}
