/**
 * Questions and answers over a kept socket of our own. node:http is made for everything, and that costs more than all the rest of an
 * idle look; here one plain answer at a time is read, as RFC 9112 has it. What is not plain is `unusual`: node:http is to ask again.
 */
import type { Socket } from 'node:net';
import { monotonicMs } from '../system/clock.ts';
import { type AnswerHead, parseBody, parseHead } from './http-answer.ts';
import type { Aborts, HttpOutcome, SendOptions } from './http-request.ts';
import type { HttpFailure, HttpPhase } from './http-trouble.ts';

export interface Wire {
  /** One question at a time. @param request Head and body. */
  ask(request: Buffer, o: SendOptions): Promise<HttpOutcome | 'unusual'>;
  close(): void;
}

/** @param take Is to be called with what comes: the first `length` bytes, valid during the call. */
export type Connect = (take: (bytes: Buffer, length: number) => void) => Socket;

/** Kept from answer to answer: enough for that of a probe. */
const RECEIVED_BYTES = 32 * 1024;
/** A longer answer is read by node:http, piece by piece. */
const ANSWER_MAX_BYTES = 8 * 1024 * 1024;
/** A long answer is gone through only where it may end; whoever makes that happen oftener does not do it by chance. */
const LONG_READS_MAX = 64;
const END = Buffer.from('\r\n\r\n');
const SAID_MAX_BYTES = 1024;

interface Asked {
  take(bytes: Buffer, length: number): void;
  lost(error: Error): void;
}

export function createWire(connect: Connect, aborts: Aborts): Wire {
  const kept = Buffer.allocUnsafeSlow(RECEIVED_BYTES);
  let socket: Socket | null = null;
  let isLookingUp = false;
  let asked: Asked | null = null;

  function open(): Socket {
    const opened: Socket = connect((bytes, length) => {
      // Nothing was asked: whoever says something now, we do not know what to.
      if (socket !== opened || asked === null) opened.destroy();
      else asked.take(bytes, length);
    });
    isLookingUp = true;
    opened.once('lookup', (error: Error | null) => {
      isLookingUp = error !== null;
    });
    opened.on('error', (error) => lost(opened, error));
    opened.on('close', () => lost(opened, hungUp()));
    return opened;
  }

  function lost(which: Socket, error: Error): void {
    if (socket !== which) return;
    const waiting = asked;
    drop();
    waiting?.lost(error);
  }

  function drop(): void {
    const dropped = socket;
    socket = null;
    dropped?.destroy();
  }

  function phase(length: number): HttpPhase {
    if (length > 0) return 'body';
    if (socket?.connecting !== true) return 'waiting';
    return isLookingUp ? 'lookup' : 'connect';
  }

  function askOnce(request: Buffer, o: SendOptions): Promise<HttpOutcome | 'unusual' | 'stale'> {
    return new Promise((resolve) => {
      const isReused = socket !== null;
      let length = 0;
      let head: AnswerHead | null = null;
      let received = kept;
      let longReads = 0;
      const grow = (most: number) => {
        const larger = Buffer.allocUnsafeSlow(
          Math.min(ANSWER_MAX_BYTES, Math.max(2 * received.length, most)),
        );
        received.copy(larger, 0, 0, length);
        received = larger;
      };

      const settle = (outcome: HttpOutcome | 'unusual' | 'stale') => {
        clearTimeout(timer);
        aborts.delete(onAbort);
        asked = null;
        resolve(outcome);
      };
      const giveUp = (why: HttpFailure['why'], error: Error | null = null) => {
        const failure = { why, phase: phase(length), error };
        asked = null;
        drop();
        settle({ failure });
      };
      const onAbort = () => giveUp('aborted');
      const timer = setTimeout(giveUp, Math.max(1, o.deadline - monotonicMs()), 'deadline');

      const read = (bytes: Buffer): HttpOutcome | 'incomplete' | 'unusual' => {
        if (head === null) {
          const parsed = parseHead(bytes, length);
          if (typeof parsed === 'string') return parsed;
          head = parsed;
        }
        if (head.length === null && length > RECEIVED_BYTES) {
          if (bytes.compare(END, 0, END.length, length - END.length, length) !== 0) return 'incomplete';
          longReads += 1;
          if (longReads > LONG_READS_MAX) return 'unusual';
        }
        const body = parseBody(bytes, length, head);
        if (typeof body === 'string') return body;
        const { status, rawHeaders } = head;
        if (status !== 200) return { status, rawHeaders, said: body.toString('latin1', 0, SAID_MAX_BYTES) };
        if (body.length > 0) o.onBody(body);
        return { status, rawHeaders, said: '' };
      };

      asked = {
        take(bytes, more) {
          const begin = length;
          const isTooLong = begin + more > ANSWER_MAX_BYTES;
          if (!isTooLong && begin + more > received.length) grow(begin + more);
          length += more;
          // Mostly all comes at once, and nothing is copied.
          if (begin > 0 && !isTooLong) bytes.copy(received, begin, 0, more);
          const outcome = isTooLong ? 'unusual' : read(begin > 0 ? received : bytes);
          if (outcome === 'incomplete') {
            if (begin === 0) bytes.copy(received, 0, 0, more);
            return;
          }
          if (outcome === 'unusual' || head?.isKept !== true) drop();
          settle(outcome);
        },
        lost(error) {
          // A kept connection that the server had closed in the meantime says nothing about the server.
          if (isReused && length === 0) settle('stale');
          else settle({ failure: { why: 'error', phase: phase(length), error } });
        },
      };
      if (o.signal?.aborted) return onAbort();
      aborts.add(onAbort);
      socket ??= open();
      socket.write(request);
    });
  }

  return {
    async ask(request, o) {
      if (asked !== null) return 'unusual';
      const first = await askOnce(request, o);
      if (first !== 'stale') return first;
      const second = await askOnce(request, o);
      return second === 'stale' ? 'unusual' : second;
    },
    close: drop,
  };
}

/** A server that closes the connection says no more than that. */
function hungUp(): Error {
  return Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
}
