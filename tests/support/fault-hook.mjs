// Loaded into an agent of a test by NODE_OPTIONS=--import: it names every call by which the agent changes the world, may write the
// names down, and at a chosen one kills the process, tears a write or lets the call fail. The product knows nothing of it.
//
// PULLYU_FAULT_LOG   a file, one step a line
// PULLYU_FAULT_AT    JSON: see fault.ts
import { createRequire, syncBuiltinESMExports } from 'node:module';
import process from 'node:process';

const require = createRequire(import.meta.url);
const fs = require('node:fs');
const childProcess = require('node:child_process');
const { appendFileSync, writeSync } = fs;

const root = process.env.PULLYU_FAULT_ROOT ?? '/';
const logFile = process.env.PULLYU_FAULT_LOG;
const fault = JSON.parse(process.env.PULLYU_FAULT_AT ?? 'null');
const files = new Map();
let count = 0;
let matches = 0;
/** Calls inside a call are part of it. */
let depth = 0;

/** What the hook does with a call of this name: null for nothing. */
function meet(step) {
  count += 1;
  if (logFile) appendFileSync(logFile, `${step}\n`);
  if (fault === null) return null;
  if (fault.number !== undefined) return fault.number === count ? fault : null;
  if (fault.step !== step) return null;
  matches += 1;
  return matches === (fault.occurrence ?? 1) ? fault : null;
}

function die() {
  process.kill(process.pid, 'SIGKILL');
}

function failure(code, syscall) {
  return Object.assign(new Error(`${code}: injected, ${syscall}`), { code, syscall, errno: -1 });
}

function wrap(module, name, stepOf) {
  const original = module[name];
  module[name] = (...args) => {
    const step = depth === 0 ? stepOf(...args) : null;
    if (step === null) return original(...args);
    const met = meet(step);
    if (met?.do === 'kill-before') die();
    if (met?.do === 'fail') throw failure(met.code, name);
    if (met?.do === 'tear' && name === 'writeSync') {
      const bytes = Buffer.from(args[1]);
      writeSync(args[0], bytes.subarray(0, bytes.length >> 1), 0, bytes.length >> 1, positionOf(args));
      die();
    }
    depth += 1;
    let result;
    try {
      result = original(...args);
    } finally {
      depth -= 1;
    }
    if (name === 'openSync') files.set(result, nameOf(args[0]));
    if (met?.do === 'kill-after') die();
    return result;
  };
}

function positionOf([, content, ...rest]) {
  return (typeof content === 'string' ? rest[0] : rest[2]) ?? null;
}

/** Below the root, without what differs from run to run. */
function nameOf(path) {
  const text = String(path);
  const below = text.startsWith(`${root}/`) ? text.slice(root.length + 1) : text;
  return below
    .replace(/^var\/lib\/pullyu(?:\/|$)/, '')
    .replace(/\.[0-9a-f]{8}\.tmp$/, '.*.tmp')
    .replace(/^runs\/[^/]+/, 'runs/*')
    .replace(/^status\/outbox\/\d+\.json/, 'status/outbox/*.json')
    .replace(/^status\/[0-9a-f]{12}(?=\/|$)/, 'status/*')
    .replace(/^inbox\/[^/]+\.json/, 'inbox/*.json')
    .replace(/trees\/[ab](?=\/|$)/, 'trees/?');
}

const isOurs = (path) => String(path).startsWith(`${root}/`);
const onPath = (verb) => (path) => (isOurs(path) ? `${verb} ${nameOf(path)}` : null);
const onTarget = (verb) => (_, path) => (isOurs(path) ? `${verb} ${nameOf(path)}` : null);
const onFile = (verb) => (fd) => (files.has(fd) ? `${verb} ${files.get(fd)}` : null);

function openStep(path, flags) {
  const { O_CREAT, O_TRUNC } = fs.constants;
  const writes = typeof flags === 'number' ? (flags & (O_CREAT | O_TRUNC)) !== 0 : /[wa]/.test(flags ?? 'r');
  return writes && isOurs(path) ? `create ${nameOf(path)}` : null;
}

/** `spawn git fetch`, `spawn shim`, `spawn sync`. */
function spawnStep(file, args = []) {
  const words = file === 'sh' && args.includes('git') ? args.slice(args.indexOf('git')) : [file, ...args];
  if (words.some((word) => word.endsWith('/shim.sh'))) return 'spawn shim';
  if (words[0] !== 'git') return `spawn ${words[0]}`;
  const rest = words.slice(1);
  while (rest.length > 0 && rest[0].startsWith('-') && rest[0] !== '--version')
    rest.splice(0, rest[0] === '-c' ? 2 : 1);
  return `spawn git ${rest[0]}`;
}

wrap(fs, 'openSync', openStep);
for (const [name, verb] of [
  ['writeFileSync', 'write'],
  ['mkdirSync', 'mkdir'],
  ['rmSync', 'remove'],
  ['unlinkSync', 'remove'],
  ['chmodSync', 'chmod'],
])
  wrap(fs, name, onPath(verb));
for (const [name, verb] of [
  ['renameSync', 'rename'],
  ['symlinkSync', 'link'],
])
  wrap(fs, name, onTarget(verb));
for (const [name, verb] of [
  ['writeSync', 'write'],
  ['ftruncateSync', 'truncate'],
  ['fsyncSync', 'sync'],
  ['fdatasyncSync', 'sync'],
])
  wrap(fs, name, onFile(verb));
wrap(childProcess, 'spawn', spawnStep);
// An open that only reads gets a number that a file we watch may have had.
const { openSync, closeSync } = fs;
fs.closeSync = (fd) => {
  files.delete(fd);
  return closeSync(fd);
};
fs.openSync = (...args) => {
  const fd = openSync(...args);
  if (isOurs(args[0])) files.set(fd, nameOf(args[0]));
  return fd;
};
syncBuiltinESMExports();
