/**
 * So much work at once, so much that waits, and no more. First clones, fetches of what is new and pushes each have a lane of their
 * own, so that none is stuck behind another kind.
 */
export interface Lane {
  /**
   * Waits for a place. `full`: too many wait already, or it took too long; `aborted`: whoever asked has gone.
   * @returns what gives the place back; call it exactly once.
   */
  enter(signal: AbortSignal): Promise<(() => void) | 'full' | 'aborted'>;
  readonly running: number;
  readonly waiting: number;
}

export interface LaneSize {
  readonly running: number;
  readonly waiting: number;
  readonly waitMs: number;
}

export function createLane(size: LaneSize): Lane {
  let running = 0;
  const queue: (() => void)[] = [];

  function leave() {
    running -= 1;
    queue.shift()?.();
  }
  /** A place that is given back twice would be two places. */
  function takePlace(): () => void {
    running += 1;
    let isTaken = true;
    return () => {
      if (isTaken) leave();
      isTaken = false;
    };
  }

  return {
    get running() {
      return running;
    },
    get waiting() {
      return queue.length;
    },
    enter(signal) {
      if (signal.aborted) return Promise.resolve('aborted');
      if (running < size.running) return Promise.resolve(takePlace());
      if (queue.length >= size.waiting) return Promise.resolve('full');
      return new Promise((resolve) => {
        const stop = (why: 'full' | 'aborted') => {
          queue.splice(queue.indexOf(go), 1);
          finish(why);
        };
        const finish = (value: (() => void) | 'full' | 'aborted') => {
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
          resolve(value);
        };
        const go = () => finish(takePlace());
        const onAbort = () => stop('aborted');
        const timer = setTimeout(() => stop('full'), size.waitMs);
        signal.addEventListener('abort', onAbort, { once: true });
        queue.push(go);
      });
    },
  };
}

/** Seconds for Retry-After: longer the more are waiting, and not the same for all, or they would all come back at once. */
export function retryAfterSeconds(lane: Pick<Lane, 'waiting'>, random: number): number {
  const most = Math.min(60, 2 + lane.waiting);
  return 1 + Math.floor(random * most);
}
