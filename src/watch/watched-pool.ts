import type { Attributes } from "@opentelemetry/api";
import type { DurationRecorder } from "../metrics/histogram.ts";
import {
  DIAL_TIMEOUT,
  errorType,
  KNOWN_DIAL_FAILURES,
  MAX_ERROR_TYPES,
  OTHER_ERROR_TYPE,
  timeoutType,
} from "./dial-failure.ts";
import { hookPool, type PoolObserver, type Settle } from "./hooks.ts";
import { Peak } from "./peak.ts";
import type { HookablePool, PgClient } from "./pg-types.ts";
import type { PoolWatch } from "./pool-watch.ts";

/** What can be seen of a pool at one moment. Connections are split without overlap: total = idle + used + connecting. */
export interface PoolState {
  readonly total: number;
  readonly idle: number;
  readonly used: number;
  readonly connecting: number;
  readonly waiting: number;
  readonly oldestWaitSeconds: number;
  readonly limit: number;
  readonly idleMin: number;
  readonly poolSize: number;
  readonly overflow: number;
  readonly utilization: number;
  readonly peakUsed: number;
  readonly peakWaiting: number;
}

/** Where a watched pool's durations go. */
export interface PoolDurations {
  readonly wait: DurationRecorder;
  readonly use: DurationRecorder;
  readonly create: DurationRecorder;
}

const now = performance.now.bind(performance);
const MILLIS = 1000;

interface Waiter {
  readonly since: number;
}

/**
 * One pool under watch: plain numbers, nothing shared with other pools. State is read from the pool when somebody
 * looks; only what leaves no trace in the pool (handing out, timeouts, dials) is counted as it happens.
 */
export class WatchedPool implements PoolObserver {
  readonly name: string;
  readonly attributes: Attributes;
  /** What the application holds. */
  readonly handle: PoolWatch;
  readonly durations: PoolDurations;

  checkouts = 0;
  waits = 0;
  connects = 0;
  waitTimeouts = 0;
  dialTimeouts = 0;
  /** By `error.type`. Bounded by MAX_ERROR_TYPES. */
  readonly connectFailures: Map<string, number> = new Map(KNOWN_DIAL_FAILURES.map((type) => [type, 0]));

  readonly #pool: HookablePool;
  readonly #poolSize: number | undefined;
  readonly #openAtStart: number;
  readonly #watchedSince = now();
  readonly #unhook: () => void;
  #detached = false;
  #closesAtDetach = 0;

  /** Dials under way and when they began (undefined: before the watch). Pruned by what the pool says it has. */
  readonly #dialing = new Map<PgClient, number | undefined>();
  /** Clients handed out since the watch began, and when. */
  readonly #heldSince = new Map<PgClient, number>();
  /** Callers that found neither an idle client nor room, in the order they came. A queue position needs no more. */
  readonly #waiters = new Set<Waiter>();
  /** Errors of dials already counted, so that the caller who receives one does not count it again. */
  readonly #dialErrors = new WeakSet<object>();
  readonly #peakUsed = new Peak();
  readonly #peakWaiting = new Peak();

  constructor(
    pool: HookablePool,
    name: string,
    attributes: Attributes,
    durations: PoolDurations,
    poolSize: number | undefined,
  ) {
    this.#pool = pool;
    this.name = name;
    this.attributes = attributes;
    this.handle = Object.freeze({ name, unwatch: () => this.detach() });
    this.durations = durations;
    this.#poolSize = poolSize;
    for (const client of pool._clients ?? []) {
      const { _connecting, _connected } = client as { _connecting?: unknown; _connected?: unknown };
      if (_connecting === true && _connected !== true) this.#dialing.set(client, undefined);
    }
    this.#openAtStart = pool.totalCount - this.#dialing.size;
    this.#unhook = hookPool(pool, this);
  }

  /** True once the pool has ended or {@link detach} was called. */
  get isOver(): boolean {
    return this.#detached || this.#pool.ended;
  }

  /** Stops watching and leaves the pool as it was found. The counts stay readable. */
  detach(): void {
    if (this.#detached) return;
    this.#closesAtDetach = this.closes;
    this.#detached = true;
    this.#unhook();
    this.#dialing.clear();
    this.#heldSince.clear();
    this.#waiters.clear();
  }

  isWatching(pool: object): boolean {
    return pool === this.#pool;
  }

  // ── what the pool is doing now ──

  state(): PoolState {
    const { totalCount: total, idleCount: idle, options } = this.#pool;
    const connecting = this.#countDialing();
    const used = total - idle - connecting;
    const waiting = this.#countWaiting();
    const limit = Number(options.max) || 0;
    const idleMin = Number(options.min) || 0;
    const poolSize = Math.min(this.#poolSize ?? (idleMin > 0 ? idleMin : limit), limit);
    return {
      total,
      idle,
      used,
      connecting,
      waiting,
      oldestWaitSeconds: this.#oldestWaitSeconds(waiting),
      limit,
      idleMin,
      poolSize,
      overflow: Math.max(0, used - poolSize),
      utilization: limit > 0 ? used / limit : 0,
      peakUsed: this.#peakUsed.read(used),
      peakWaiting: this.#peakWaiting.read(waiting),
    };
  }

  /** Connections that were open once and are not any more. Needs no event: what was opened is open, or was closed. */
  get closes(): number {
    if (this.#detached) return this.#closesAtDetach;
    return this.#openAtStart + this.connects - (this.#pool.totalCount - this.#countDialing());
  }

  /** Called by the sampler before it reads, see {@link Peak}. */
  closePeakWindows(): void {
    this.#peakUsed.closeWindow(this.#countUsed());
    this.#peakWaiting.closeWindow(this.#countWaiting());
  }

  #countDialing(): number {
    const clients = this.#pool._clients;
    if (clients && this.#dialing.size > 0) {
      for (const client of this.#dialing.keys()) {
        if (!clients.includes(client)) this.#dialing.delete(client);
      }
    }
    return this.#dialing.size;
  }

  #countUsed(): number {
    return this.#pool.totalCount - this.#pool.idleCount - this.#countDialing();
  }

  /** For one tick pg-pool queues callers it has an idle client for. They are not waiting. */
  #countWaiting(): number {
    return Math.max(0, this.#pool.waitingCount - this.#pool.idleCount);
  }

  /** pg-pool serves its queue in order: who still waits is the youngest end of those who had to. */
  #oldestWaitSeconds(waiting: number): number {
    if (waiting === 0) return 0;
    let toSkip = this.#waiters.size - waiting;
    let since = this.#watchedSince;
    if (toSkip >= 0) {
      for (const waiter of this.#waiters) {
        since = waiter.since;
        if (toSkip-- === 0) break;
      }
    }
    return (now() - since) / MILLIS;
  }

  // ── what happens in the pool (PoolObserver) ──

  requested(): Settle {
    const pool = this.#pool;
    const since = now();
    let waiter: Waiter | undefined;
    const free = pool.idleCount + (pool.options.max - pool.totalCount) - pool.waitingCount;
    if (free <= 0) {
      waiter = { since };
      this.#waiters.add(waiter);
      this.waits++;
    }
    return (error, client) => {
      if (this.#detached) return;
      if (waiter) this.#waiters.delete(waiter);
      if (error || client === undefined) this.#failed(error);
      else this.#handedOut(client, since);
    };
  }

  enqueued(): void {
    if (this.#waiters.size > 0) this.#peakWaiting.raise(this.#countWaiting());
  }

  dialStarted(client: PgClient): void {
    this.#dialing.set(client, now());
  }

  dialFailed(client: PgClient, error: unknown): void {
    if (this.#detached) return;
    const since = this.#dialing.get(client);
    this.#dialing.delete(client);
    this.#countConnectFailure(this.#isDialTimeout(error, since) ? DIAL_TIMEOUT : errorType(error));
    if (typeof error === "object" && error !== null) this.#dialErrors.add(error);
  }

  connected(client: PgClient): void {
    const since = this.#dialing.get(client);
    this.#dialing.delete(client);
    this.connects++;
    if (since !== undefined) this.durations.create.record((now() - since) / MILLIS);
  }

  released(client: PgClient): void {
    const since = this.#heldSince.get(client);
    // Not handed out to anybody: pg-pool releases idle clients whose lifetime is over as if they had been.
    if (since === undefined) return;
    this.#heldSince.delete(client);
    this.durations.use.record((now() - since) / MILLIS);
  }

  #handedOut(client: PgClient, requestedAt: number): void {
    const at = now();
    this.checkouts++;
    this.durations.wait.record((at - requestedAt) / MILLIS);
    this.#heldSince.set(client, at);
    this.#peakUsed.raise(this.#countUsed());
  }

  #failed(error: unknown): void {
    const timeout = timeoutType(error);
    if (timeout === DIAL_TIMEOUT) this.dialTimeouts++;
    else if (timeout !== undefined) this.waitTimeouts++;
    else if (!this.#isCountedDial(error)) this.#countConnectFailure(errorType(error));
  }

  #isCountedDial(error: unknown): boolean {
    return typeof error === "object" && error !== null && this.#dialErrors.has(error);
  }

  /** pg-pool gives up on a dial by destroying its socket, which reads like a connection lost. The clock tells. */
  #isDialTimeout(error: unknown, since: number | undefined): boolean {
    if (timeoutType(error) === DIAL_TIMEOUT) return true;
    const limit = this.#pool.options.connectionTimeoutMillis;
    if (!limit || since === undefined || (error as { code?: unknown } | null)?.code !== undefined)
      return false;
    // Timers and the clock differ by up to a millisecond.
    return now() - since >= limit - 1;
  }

  #countConnectFailure(type: string): void {
    const failures = this.connectFailures;
    const known = failures.has(type) || failures.size < MAX_ERROR_TYPES ? type : OTHER_ERROR_TYPE;
    failures.set(known, (failures.get(known) ?? 0) + 1);
  }
}
