const MICROS_PER_MILLI = 1_000;
/** On a machine that is busy with others, work takes several times its CPU time. */
const WALL_PER_CPU = 4;
/** Shorter ones are those of an ordinary scheduler. */
const SHORTEST_FREEZE_MILLIS = 50;
const MAX_FREEZES = 100;

/** Time within which the process had no CPU. */
interface Freeze {
  /** `performance.now()` when it was noticed. */
  readonly end: number;
  readonly millis: number;
}

/**
 * Tells time in which the process ran from time in which it could not: stopped by SIGSTOP, frozen between two requests
 * (Lambda, Cloud Run), suspended with its machine. A timer that fires late was held up by synchronous work, which uses
 * CPU, or by a freeze, which uses none. Work that waits synchronously without CPU (`execSync`) looks like a freeze.
 */
export class AwakeClock {
  readonly #everyMillis: number;
  readonly #timer: NodeJS.Timeout;
  #lookedAt: number = performance.now();
  #cpuMillis: number = cpuMillis();
  #frozenMillis = 0;
  /** Oldest first. */
  readonly #freezes: Freeze[] = [];
  #blocked: (millis: number) => void = () => {};

  constructor(everyMillis: number) {
    this.#everyMillis = everyMillis;
    this.#timer = setInterval(() => this.#beat(), everyMillis);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** @param blocked Called with how long synchronous work held up the event loop. Must not throw */
  onBlock(blocked: (millis: number) => void): void {
    this.#blocked = blocked;
  }

  /** Notices a freeze or a block that is just over: other callbacks may run before the timer's. */
  look(): void {
    if (performance.now() - this.#lookedAt >= 2 * this.#everyMillis) this.#beat();
  }

  /** Like `performance.now()`, but it stands still while the process is frozen. */
  now(): number {
    this.look();
    return performance.now() - this.#frozenMillis;
  }

  /** How much of the time between two moments of `performance.now()` the process was not frozen. */
  awakeMillis(from: number, to: number): number {
    this.look();
    let awake = to - from;
    for (let index = this.#freezes.length - 1; index >= 0; index--) {
      const { end, millis } = this.#freezes[index] as Freeze;
      if (end <= from) break;
      awake -= Math.min(millis, end - from);
    }
    return Math.max(0, awake);
  }

  #beat(): void {
    const at = performance.now();
    const cpu = cpuMillis();
    const late = at - this.#lookedAt - this.#everyMillis;
    const blocked = Math.min(late, WALL_PER_CPU * (cpu - this.#cpuMillis));
    this.#lookedAt = at;
    this.#cpuMillis = cpu;
    if (late <= 0) return;
    this.#blocked(blocked);
    if (late - blocked >= SHORTEST_FREEZE_MILLIS) this.#froze({ end: at, millis: late - blocked });
  }

  #froze(freeze: Freeze): void {
    this.#frozenMillis += freeze.millis;
    this.#freezes.push(freeze);
    if (this.#freezes.length <= MAX_FREEZES) return;
    // Of the two oldest only the sum is kept: what began between them seems shorter than it was.
    const [first, second] = this.#freezes.splice(0, 2) as [Freeze, Freeze];
    this.#freezes.unshift({ end: second.end, millis: first.millis + second.millis });
  }
}

function cpuMillis(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / MICROS_PER_MILLI;
}
