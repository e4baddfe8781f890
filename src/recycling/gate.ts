import { copyError } from "../error-type.ts";
import { PoolscopeError } from "../errors.ts";
import { isPassing } from "../pg/passing-error.ts";
import type { PendingItem } from "../pg/pool-inside.ts";
import { timeoutType, WAIT_TIMEOUT } from "../watch/dial-failure.ts";
import type { PgClient } from "../watch/pg-types.ts";
import type { Recycler } from "./recycler.ts";
import type { Ticket } from "./ticket.ts";

const FIRST_PAUSE_MILLIS = 25;
const LONGEST_PAUSE_MILLIS = 250;
/** For so long at most, and a quarter of what is waited for, an attempt without an answer holds up the next. */
const PROBE_MILLIS = 500;
/** Callers that are answered, or attempted for, in one turn of the event loop. */
const CALLERS_A_TURN = 200;

/**
 * Stands above pg-pool. While the server refuses connections the gate is closed: callers who would need a new one wait
 * here, in the order in which they asked, and one attempt at a time finds out whether the server is back.
 *
 * As long as a caller waits here or has a deadline of its own, a timer is armed, and each tick arms the next one first. No
 * attempt blocks the next for longer than {@link PROBE_MILLIS}, whether its callback comes or not.
 */
export class Gate {
  readonly #recycler: Recycler;
  /** Callers at the gate, by when they asked. */
  #waiting: Ticket[] = [];
  /** Callers in pg-pool's hands, or waiting for a ping. */
  readonly #underWay = new Set<Ticket>();
  #isClosed = false;
  #pauseMillis = FIRST_PAUSE_MILLIS;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Number.POSITIVE_INFINITY;
  /** When the last attempt began that has not been answered. */
  #probedAt = Number.NEGATIVE_INFINITY;

  constructor(recycler: Recycler) {
    this.#recycler = recycler;
  }

  /** Callers who need a new connection wait. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Callers at the gate. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** When the callers at the gate asked, oldest first. */
  waitingSince(limit: number): readonly number[] {
    return this.#waiting.slice(0, limit).map(({ asked }) => asked);
  }

  /** A caller who asked at `asked` got an error. @returns Whether it is to wait for another attempt */
  failed(error: unknown, asked: number): boolean {
    const recycler = this.#recycler;
    if (error instanceof PoolscopeError || timeoutType(error) === WAIT_TIMEOUT) return false;
    recycler.lastConnectError = error;
    if (!recycler.isActive || recycler.pool.ending || !recycler.hasConnected || !isPassing(error))
      return false;
    if (performance.now() >= asked + this.#retryMillis()) return false;
    this.#isClosed = true;
    return true;
  }

  /** Lets a caller wait until the gate opens. */
  park(ticket: Ticket): void {
    ticket.item = undefined;
    const waiting = this.#waiting;
    let from = 0;
    let to = waiting.length;
    if ((waiting.at(-1)?.asked ?? 0) <= ticket.asked) from = to;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((waiting[middle] as Ticket).asked <= ticket.asked) from = middle + 1;
      else to = middle;
    }
    waiting.splice(from, 0, ticket);
    this.#arm(this.#pauseMillis);
  }

  /** Minds a caller's deadline while it waits for a ping. */
  pinging(ticket: Ticket): void {
    ticket.isPinging = true;
    this.#underWay.add(ticket);
    this.#arm(Math.min(LONGEST_PAUSE_MILLIS, this.#deadlineOf(ticket) - performance.now()));
  }

  /**
   * Asks pg-pool for a client: with `isFresh` for a new connection, where there is room for one, with `isFirst` before those
   * in its queue, who asked later.
   */
  attempt(ticket: Ticket, isFresh = false, isFirst = false): void {
    const { pool } = this.#recycler;
    const answered = (error: unknown, client?: PgClient, release?: unknown) =>
      this.#answered(ticket, error, client, release);
    const queue = pool._pendingQueue;
    const queued = queue.length;
    ticket.isPinging = false;
    ticket.item = undefined;
    this.#underWay.add(ticket);
    try {
      if (isFresh && !pool._isFull()) pool.newClient({ callback: answered });
      else this.#recycler.connect(answered);
    } catch (error) {
      // A constructor of `Client` may throw.
      answered(error);
    }
    if (queue.length > queued) {
      ticket.item = queue.at(-1);
      if (isFirst && queued > 0) queue.unshift(...queue.splice(-1));
    }
    if (!ticket.isSettled) this.#arm(this.#pauseMillis);
  }

  #answered(ticket: Ticket, error: unknown, client: PgClient | undefined, release: unknown): void {
    this.#underWay.delete(ticket);
    if (!error && client) {
      this.#recycler.handedOut(client, ticket.isQuery);
      // The caller has had its deadline: the client becomes idle.
      if (ticket.isSettled) (release as () => void)();
      else ticket.settle(undefined, client, release);
      return;
    }
    this.#probedAt = Number.NEGATIVE_INFINITY;
    ticket.error = error;
    const isToWait = this.failed(error, ticket.asked);
    if (ticket.isSettled) return;
    if (isToWait) this.park(ticket);
    else ticket.settle(this.#recycler.coded(error));
  }

  /** The server is there, or recycling stops. */
  open(): void {
    this.#isClosed = false;
    this.#pauseMillis = FIRST_PAUSE_MILLIS;
    this.#probedAt = Number.NEGATIVE_INFINITY;
    // After the caller who brought the good news has its client.
    if (this.#waiting.length > 0) this.#arm(0);
  }

  /** Attempts for callers at the gate: for all while it is open, otherwise for as many as there are idle clients. */
  serve(): void {
    const { pool } = this.#recycler;
    for (let left = CALLERS_A_TURN; left > 0; left--) {
      if (this.#isClosed && pool._idle.length <= pool._pendingQueue.length) return;
      const ticket = this.#waiting.shift();
      if (!ticket) return;
      this.attempt(ticket);
    }
    this.#arm(0);
  }

  /** The pool ends: answers those at the gate, and those who wait for a ping. Whom pg-pool dials for gets its answer. */
  refuse(refusal: (failure: unknown) => unknown): void {
    const pinging = [...this.#underWay].filter(({ isPinging }) => isPinging);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const ticket of [...pinging, ...waiting]) {
      this.#underWay.delete(ticket);
      ticket.settle(refusal(this.#failureOf(ticket)));
    }
  }

  #arm(millis: number): void {
    const dueAt = performance.now() + millis;
    if (dueAt >= this.#dueAt) return;
    clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => this.#tick(), millis);
    // Callers keep the process alive, as their dials would; those of a pool that ends do so themselves.
    if (this.#recycler.pool.ending) this.#timer.unref();
  }

  #tick(): void {
    const recycler = this.#recycler;
    this.#dueAt = Number.POSITIVE_INFINITY;
    if (this.#isClosed) this.#pauseMillis = Math.min(2 * this.#pauseMillis, LONGEST_PAUSE_MILLIS);
    if (this.waiting > 0 || this.#underWay.size > 0) {
      this.#arm(this.#isClosed ? this.#pauseMillis : LONGEST_PAUSE_MILLIS);
    }
    try {
      this.#expire();
      // With no caller left to ask for, the next one is the attempt.
      if (!recycler.isActive || this.waiting === 0) this.open();
      this.serve();
      if (this.#isClosed) this.#probe();
    } catch (fault) {
      recycler.internalError(fault);
    }
  }

  #probe(): void {
    const at = performance.now();
    const limitMillis = Math.min(PROBE_MILLIS, this.#retryMillis() / 4);
    if (at - this.#probedAt < limitMillis || this.#recycler.pool._isFull()) return;
    const ticket = this.#waiting.shift();
    if (!ticket) return;
    this.#probedAt = at;
    this.attempt(ticket);
  }

  /** Answers those whose time is over, and arms the timer for the next of them. */
  #expire(): void {
    const at = performance.now();
    let queue: Set<PendingItem> | undefined;
    const isQueued = ({ item }: Ticket): boolean => {
      if (item) queue ??= new Set(this.#recycler.pool._pendingQueue);
      return item !== undefined && queue?.has(item) === true;
    };
    let soonest = Number.POSITIVE_INFINITY;
    let left = CALLERS_A_TURN;
    const isOver = (ticket: Ticket): boolean => {
      const deadline = this.#deadlineOf(ticket, isQueued(ticket));
      if (deadline <= at && left-- > 0) this.#giveUp(ticket);
      else soonest = Math.min(soonest, deadline);
      return ticket.isSettled;
    };
    let over = 0;
    for (const ticket of this.#waiting) if (isOver(ticket)) over++;
    if (over > 0) this.#waiting = this.#waiting.filter(({ isSettled }) => !isSettled);
    for (const ticket of this.#underWay) if (isOver(ticket)) this.#underWay.delete(ticket);
    if (soonest < Number.POSITIVE_INFINITY) this.#arm(Math.max(0, soonest - at));
  }

  #giveUp(ticket: Ticket): void {
    const queue = this.#recycler.pool._pendingQueue;
    const { item } = ticket;
    if (item) {
      item.timedOut = true;
      const at = queue.indexOf(item);
      if (at !== -1) queue.splice(at, 1);
    }
    const timeout = () => this.#recycler.coded(new Error("timeout exceeded when trying to connect"));
    ticket.settle(this.#failureOf(ticket) ?? timeout());
  }

  /** Why a caller has no client: its own error, or that of the last dial. Undefined: the server is not the cause. */
  #failureOf(ticket: Ticket): unknown {
    return ticket.error ?? (this.#isClosed ? copyError(this.#recycler.lastConnectError) : undefined);
  }

  /** In pg-pool's queue a caller waits for others, and not for the server: only the pool's own limit counts. */
  #deadlineOf(ticket: Ticket, isQueued = false): number {
    const { pool, settings, patienceMillis } = this.#recycler;
    // pg-pool has nothing left that could answer.
    if (pool.ended) return ticket.asked;
    const isForServer = !ticket.isPinging && !isQueued && (ticket.item === undefined || ticket.error);
    return (
      ticket.asked + (isForServer && settings.dialRetryMillis > 0 ? this.#retryMillis() : patienceMillis)
    );
  }

  /** How long a caller waits for a server that is away; 0 not at all. */
  #retryMillis(): number {
    return Math.min(this.#recycler.settings.dialRetryMillis, this.#recycler.patienceMillis);
  }
}
