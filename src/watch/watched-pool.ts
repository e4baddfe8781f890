import type { Attributes } from "@opentelemetry/api";
import { PoolQueries, type QueryReports, type QueryTools } from "../queries/pool-queries.ts";
import type { ConnectionTarget } from "../server/own-connection.ts";
import type { CallSite } from "./call-site.ts";
import type { CallerTask } from "./callers.ts";
import type { CloseReason } from "./close-reason.ts";
import type { Connection, Hold } from "./connection.ts";
import { Connections } from "./connections.ts";
import { DIAL_TIMEOUT, timeoutType } from "./dial-failure.ts";
import { Dials } from "./dials.ts";
import { hookPool, type PoolObserver, type Settle } from "./hooks.ts";
import { Peak } from "./peak.ts";
import type { HookablePool, PgClient } from "./pg-types.ts";
import { countWaiting, type PoolState, stateOf } from "./pool-state.ts";
import type { PoolWatch } from "./pool-watch.ts";
import { type Waiter, Waiters } from "./waiters.ts";
import type { PoolRecorders, WatchTools } from "./watch-tools.ts";

const now = performance.now.bind(performance);
const MILLIS = 1000;

/**
 * One pool under watch: plain numbers, nothing shared with other pools. State is read from the pool when somebody
 * looks; only what leaves no trace in the pool (handing out, timeouts, dials) is counted as it happens.
 */
export class WatchedPool implements PoolObserver {
  readonly name: string;
  readonly attributes: Attributes;
  /** What the application holds. */
  readonly handle: PoolWatch;
  readonly recorders: PoolRecorders;
  /** Undefined: they are not measured. */
  readonly queries: PoolQueries | undefined;
  /** How to reach the pool's server beside the pool: its class of clients as it was before the hooks. */
  readonly target: ConnectionTarget;

  checkouts = 0;
  waits = 0;
  connects = 0;
  waitTimeouts = 0;
  dialTimeouts = 0;
  leaks = 0;
  releasedInTransaction = 0;

  readonly #pool: HookablePool;
  readonly #poolSize: number | undefined;
  readonly #tools: WatchTools;
  readonly #dials: Dials;
  readonly #connections: Connections;
  readonly #waiters = new Waiters();
  readonly #peakUsed = new Peak();
  readonly #peakWaiting = new Peak();
  readonly #unhook: () => void;
  #isDetached = false;
  #lastHandedOutAt = Number.NEGATIVE_INFINITY;

  constructor(
    pool: HookablePool,
    name: string,
    attributes: Attributes,
    poolSize: number | undefined,
    tools: WatchTools,
  ) {
    this.#pool = pool;
    this.name = name;
    this.attributes = attributes;
    this.handle = Object.freeze({ name, unwatch: () => this.detach() });
    this.recorders = tools.recorders;
    this.target = { Client: pool.Client, options: pool.options };
    this.#poolSize = poolSize;
    this.#tools = tools;
    this.#dials = new Dials(pool);
    this.#connections = new Connections(pool, tools.recorders.reuse, (client) => this.#dials.has(client));
    this.queries = tools.queries && this.#watchQueries(tools.queries);
    this.#unhook = hookPool(pool, this, tools.callers);
  }

  #watchQueries(tools: QueryTools): PoolQueries {
    const holdOf = (client: PgClient) => this.#connections.get(client)?.hold;
    const reports: QueryReports = {
      slow: (client, query) => this.#tools.reports.slowQuery(this, query, client && holdOf(client)),
      started: () => this.#started(),
      faulted: (fault) => this.faulted(fault),
    };
    const queries = new PoolQueries(tools, reports, this.recorders.make.bind(this.recorders));
    for (const client of this.#pool._clients ?? []) queries.follow(client);
    return queries;
  }

  /** True once the pool has ended or {@link detach} was called. */
  get isOver(): boolean {
    return this.#isDetached || this.#pool.ended;
  }

  /** Stops watching and leaves the pool as it was found. The counts stay readable. */
  detach(): void {
    if (this.#isDetached) return;
    this.#connections.sweep();
    this.#isDetached = true;
    this.#unhook();
    this.#dials.forgetAll();
    this.#connections.forgetAll();
    this.queries?.forgetAll();
    this.#waiters.forgetAll();
  }

  isWatching(pool: object): boolean {
    return pool === this.#pool;
  }

  // ── what the pool is doing now ──

  state(): PoolState {
    return stateOf(this.#pool, this.#poolSize, {
      connecting: this.#dials.count(),
      dialFailing: this.#dials.failing(this.#lastHandedOutAt),
      held: this.#connections.held(),
      waiters: this.#waiters,
      peakUsed: this.#peakUsed,
      peakWaiting: this.#peakWaiting,
    });
  }

  /** Failed dials by `error.type`. */
  get connectFailures(): ReadonlyMap<string, number> {
    return this.#dials.failures;
  }

  /** Together they are all connections that were open once and are not any more. */
  get closes(): ReadonlyMap<CloseReason, number> {
    this.#connections.sweep();
    return this.#connections.closes;
  }

  /** The connections handed out, each with its hold. */
  held(): Iterable<Connection & { readonly hold: Hold }> {
    return this.#connections.held();
  }

  /** Called by the sampler before it reads, see {@link Peak}. */
  closePeakWindows(): void {
    this.#peakUsed.closeWindow(this.#countUsed());
    this.#peakWaiting.closeWindow(countWaiting(this.#pool));
  }

  #countUsed(): number {
    return this.#pool.totalCount - this.#pool.idleCount - this.#dials.count();
  }

  // ── what happens in the pool (PoolObserver) ──

  get notesSites(): boolean {
    return this.#tools.notesSites;
  }

  requested(isExplicit: boolean, site: CallSite | undefined): Settle {
    const pool = this.#pool;
    const { nesting, reports } = this.#tools;
    const since = now();
    const outer = nesting.holdOf(pool);
    if (outer) reports.nestedCheckout(this, outer, site);
    const task = this.#started();
    const entered = isExplicit ? nesting.enter(pool) : undefined;
    let waiter: Waiter | undefined;
    const free = pool.idleCount + (pool.options.max - pool.totalCount) - pool.waitingCount;
    if (free <= 0) {
      waiter = this.#waiters.enter(since, outer);
      this.waits++;
    }
    return (error, client) => {
      if (this.#isDetached) return;
      try {
        if (waiter) this.#waiters.leave(waiter);
        if (error || client === undefined) return this.#failed(error);
        const hold = this.#handedOut(client, since, isExplicit, site, task);
        entered?.(hold);
      } catch (fault) {
        this.faulted(fault);
      }
    };
  }

  enqueued(): void {
    if (this.#waiters.size > 0) this.#peakWaiting.raise(countWaiting(this.#pool));
  }

  dialStarted(client: PgClient): void {
    this.#dials.started(client);
    this.queries?.follow(client);
  }

  dialFailed(client: PgClient, error: unknown): void {
    this.queries?.forget(client);
    if (!this.#isDetached) this.#dials.failed(client, error);
  }

  connected(client: PgClient): void {
    const since = this.#dials.succeeded(client);
    this.connects++;
    this.#opened(client);
    if (since !== undefined) this.recorders.create.record((now() - since) / MILLIS);
  }

  released(client: PgClient, error: unknown): void {
    const connection = this.#connections.get(client);
    if (!connection) return;
    const { hold } = connection;
    // Without a hold nobody had it: pg-pool releases idle clients whose lifetime is over as if somebody had.
    if (hold) this.#returned(connection, hold, error);
    this.#connections.released(connection, error, hold);
  }

  lost(client: PgClient): void {
    this.#connections.lost(client);
  }

  removed(client: PgClient): void {
    this.#connections.removed(client);
    this.queries?.forget(client);
  }

  faulted(fault: unknown): void {
    this.#tools.reports.faulted(this, fault);
  }

  /** Of the caller in whose flow this is. */
  #started(): CallerTask | undefined {
    return this.#tools.callers.current()?.starts(this.recorders);
  }

  #handedOut(
    client: PgClient,
    requestedAt: number,
    isExplicit: boolean,
    site: CallSite | undefined,
    task: CallerTask | undefined,
  ): Hold {
    const at = now();
    const waitSeconds = (at - requestedAt) / MILLIS;
    const hold: Hold = {
      since: at,
      waitSeconds,
      isExact: true,
      isExplicit,
      site,
      task,
      isSuspected: false,
      isReleased: false,
    };
    const connection = this.#connections.get(client) ?? this.#opened(client);
    connection.handedOut(hold);
    this.checkouts++;
    this.#lastHandedOutAt = at;
    this.recorders.wait.record(waitSeconds);
    this.#waiters.moved(at);
    this.#peakUsed.raise(this.#countUsed());
    task?.waited(waitSeconds);
    return hold;
  }

  #opened(client: PgClient): Connection {
    this.queries?.follow(client);
    return this.#connections.opened(client);
  }

  #returned(connection: Connection, hold: Hold, error: unknown): void {
    const at = now();
    connection.returned(hold);
    const useSeconds = (at - hold.since) / MILLIS;
    if (hold.isExact) this.recorders.use.record(useSeconds);
    this.#waiters.moved(at);
    if (hold.isSuspected) this.#tools.reports.leakReturned(this, connection, hold);
    // With an error the connection is closed, and the transaction with it.
    if (!error && connection.isInTransaction) {
      this.releasedInTransaction++;
      this.#tools.reports.releasedInTransaction(this, connection, hold);
    }
    hold.task?.used(useSeconds);
  }

  #failed(error: unknown): void {
    const timeout = timeoutType(error);
    if (timeout === DIAL_TIMEOUT) this.dialTimeouts++;
    else if (timeout !== undefined) this.waitTimeouts++;
    else this.#dials.callerFailed(error);
  }
}
