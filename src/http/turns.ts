/** For answers, of one turn of the event loop: then timers and other sockets are served. */
const TURN_MILLIS = 4;

/** Of all handlers, oldest first. */
const waiting: (() => void)[] = [];
let isRunning = false;
let endsAt = 0;

/**
 * Resolves when an answer may be made; undefined: at once, there is time left. Requests that arrive together (hundreds,
 * pipelined on one connection) are otherwise all answered before a timer or another socket is served: handlers wait for
 * promises only, which never leave the turn.
 */
export function turn(): Promise<void> | undefined {
  if (!isRunning && performance.now() < endsAt) return undefined;
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (isRunning) return;
    isRunning = true;
    setImmediate(begin);
  });
}

function begin(): void {
  endsAt = performance.now() + TURN_MILLIS;
  next();
}

function next(): void {
  const resolve = waiting.shift();
  if (!resolve) {
    isRunning = false;
    return;
  }
  resolve();
  // A tick queued by a microtask comes after all microtasks: the answer is made by then, and its time is over.
  queueMicrotask(() => process.nextTick(more));
}

function more(): void {
  if (waiting.length > 0 && performance.now() >= endsAt) setImmediate(begin);
  else next();
}
