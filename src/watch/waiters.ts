import type { AwakeClock } from "./awake-clock.ts";
import { isWaitingFor } from "./deadlocks.ts";
import type { Hold } from "./hold.ts";
import type { Gate } from "./recycled-pools.ts";

const MILLIS = 1000;
/** A reading lists no more waiters than this. */
const MAX_AGES = 100;
/** So many who wait no more are still in the queue. */
const MAX_LEFT = 32;
/** A gate notes a caller within the same call as the watch, and so a little later. */
const SAME_CALL_MILLIS = 1;

/** Who waits for one pool and since when, in the order they came. */
export class Waiters {
  readonly #watchedSince = performance.now();
  /** Callers in pg-pool's queue from before the watch that may still be there. */
  #unseen: number;
  /** Oldest first. Those who wait no more stay until there are many: a Set would be made anew for every few who come and go. */
  #queue: Hold[] = [];
  size = 0;
  /** Since when callers wait and nothing is handed out or returned; NaN while nobody is kept waiting. */
  #starvedSince = NaN;
  /** When something was handed out or returned last. */
  #movedAt = Number.NEGATIVE_INFINITY;

  /** @param unseen Callers in pg-pool's queue as the watch begins */
  constructor(unseen: number) {
    this.#unseen = unseen;
  }

  /** Asked for at `since`. */
  enter(hold: Hold, since: number): void {
    hold.isWaiting = true;
    this.#queue.push(hold);
    this.size++;
    if (Number.isNaN(this.#starvedSince)) this.#starvedSince = since;
  }

  leave(hold: Hold): void {
    hold.isWaiting = false;
    this.size--;
    if (this.size === 0 || this.#queue.length > 2 * this.size + MAX_LEFT) this.#queue = this.#waiting();
  }

  #waiting(): Hold[] {
    return this.#queue.filter(({ isWaiting }) => isWaiting);
  }

  /** A connection was handed out or returned: the pool is not stuck. */
  moved(at: number): void {
    this.#movedAt = at;
    if (!Number.isNaN(this.#starvedSince)) this.#starvedSince = this.size > 0 ? at : NaN;
  }

  /**
   * Also while nobody waits at this moment: callers that gave up since were kept waiting too. Without the time in which
   * the process was frozen.
   */
  stalledSeconds(gate: Gate | undefined, at: number, clock: AwakeClock): number {
    const since = Number.isNaN(this.#starvedSince) ? at : this.#starvedSince;
    // Held after a dial of theirs failed, callers at the gate were not waiting when they asked.
    const [held = at] = gate?.waitingSince(1) ?? [];
    return clock.awakeMillis(Math.min(since, Math.max(held, this.#movedAt)), at) / MILLIS;
  }

  /**
   * Oldest first. pg-pool serves its queue in order, so those still queued are the youngest of all who had to wait; the
   * others' connections are being dialed. Callers at the gate are counted by the gate, with what it knows of them.
   */
  agesSeconds(queued: number, gate: Gate | undefined, at: number): number[] {
    this.#unseen = Math.min(this.#unseen, queued);
    const atGate = gate?.waiting ?? 0;
    // To be told apart from those queued, they are needed all.
    const held = gate && atGate > 0 ? gate.waitingSince(queued > 0 ? atGate : MAX_AGES) : [];
    if (queued === 0 && held.length === 0) return [];
    // One that waits is held since it was asked for.
    const since = queued > 0 ? queuedSince(this.#waiting(), held).slice(-queued) : [];
    const unknown = queued - since.length;
    // From before the watch they are as old as the watch, at least. Of others the watch failed to see the beginning.
    for (let missing = 0; missing < unknown; missing++) {
      since.push(missing < this.#unseen ? this.#watchedSince : at);
    }
    const all = held.length > 0 ? [...since, ...held] : since;
    return all
      .sort((one, other) => one - other)
      .slice(0, MAX_AGES)
      .map((asked) => (at - asked) / MILLIS);
  }

  /** How many wait although their caller has gone. */
  countGone(): number {
    let gone = 0;
    for (const { isWaiting, task } of this.#queue) if (isWaiting && task?.isGone) gone++;
    return gone;
  }

  /** Requests that wait, oldest first. */
  holds(): readonly Hold[] {
    return this.#waiting();
  }

  /** How many of the holds of a pool the waiters sit on. */
  countHolds(held: ReadonlySet<Hold>): number {
    const holds = new Set<Hold>();
    for (const waiting of this.#waiting()) {
      for (const outer of waiting.outers) {
        if (held.has(outer) && isWaitingFor(outer, waiting)) holds.add(outer);
      }
    }
    return holds.size;
  }

  forgetAll(): void {
    this.#queue = [];
    this.size = 0;
    this.#starvedSince = NaN;
  }
}

/** When those asked that wait, and not at the gate. Both oldest first: one walk, from the youngest. */
function queuedSince(waiting: readonly Hold[], held: readonly number[]): number[] {
  const queued: number[] = [];
  let next = held.length - 1;
  for (let index = waiting.length - 1; index >= 0; index--) {
    const { since } = waiting[index] as Hold;
    // Of a caller whose hold is younger than this one, or is not among those that wait.
    while (next >= 0 && (held[next] as number) - since > SAME_CALL_MILLIS) next--;
    if (next >= 0 && (held[next] as number) >= since) next--;
    else queued.push(since);
  }
  return queued.reverse();
}
