import type { Attributes } from "@opentelemetry/api";
import { PoolscopeError } from "../errors.ts";
import { PoolQueries, type QueryReports, type QueryTools } from "../queries/pool-queries.ts";
import type { ConnectionTarget } from "../server/own-connection.ts";
import type { CallSite } from "./call-site.ts";
import type { CallerTask } from "./callers.ts";
import type { CloseReason } from "./close-reason.ts";
import { codeTimeout } from "./coded-timeout.ts";
import type { Connection } from "./connection.ts";
import { Connections } from "./connections.ts";
import { DIAL_TIMEOUT, timeoutType } from "./dial-failure.ts";
import { Dials } from "./dials.ts";
import { Hold } from "./hold.ts";
import { hookPool, type PoolObserver } from "./hooks.ts";
import { Moment } from "./moment.ts";
import { MovingMean } from "./moving-mean.ts";
import { Peak } from "./peak.ts";
import type { HookablePool, PgClient, PgPool } from "./pg-types.ts";
import { countWaiting, type LoadGuard, limitOf, type PoolState, stateOf } from "./pool-state.ts";
import type { PoolWatch } from "./pool-watch.ts";
import { countFree, type RecycleCounts, recycleCounts } from "./recycled-pools.ts";
import { SiteBudget } from "./site-budget.ts";
import { Waiters } from "./waiters.ts";
import { noteWatch } from "./watch-of.ts";
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

  /** What `recycle()` does to this pool. */
  readonly recycling: RecycleCounts;

  /** Everyone who asked: those given a connection, those who gave up or failed, and those still queued. */
  requests = 0;
  checkouts = 0;
  waits = 0;
  connects = 0;
  waitTimeouts = 0;
  dialTimeouts = 0;
  leaks = 0;
  releasedInTransaction = 0;
  /** HTTP requests answered without reaching this pool, because too many wait for it. */
  shed = 0;
  /** Those who shed them. */
  readonly guards: Set<LoadGuard> = new Set();

  readonly #pool: HookablePool;
  readonly #poolSize: number | undefined;
  readonly #tools: WatchTools;
  readonly #dials: Dials;
  readonly #connections: Connections;
  readonly #waiters = new Waiters();
  readonly #holds = new MovingMean();
  /** Undefined: nobody wants to know the places of checkouts. */
  readonly #sites: SiteBudget | undefined;
  readonly #peakUsed = new Peak();
  readonly #peakWaiting = new Peak();
  readonly #moment: Moment;
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
    this.#sites = tools.notesSites ? new SiteBudget(tools.notesSites === "all") : undefined;
    this.#dials = new Dials(pool);
    this.#moment = new Moment();
    this.queries = tools.queries && this.#watchQueries(tools.queries);
    this.#connections = new Connections(pool, tools.recorders.reuse, this.queries, (client) =>
      this.#dials.has(client),
    );
    this.recycling = recycleCounts(pool);
    this.#unhook = hookPool(pool, this, tools.callers, this.#moment);
    noteWatch(pool, this);
  }

  #watchQueries(tools: QueryTools): PoolQueries {
    const holdOf = (client: PgClient) => this.#connections.get(client)?.hold;
    const reports: QueryReports = {
      slow: (client, query) => this.#tools.reports.slowQuery(this, query, client && holdOf(client)),
      started: () => this.#started(),
      faulted: (fault) => this.faulted(fault),
    };
    const queries = new PoolQueries(tools, reports, this.recorders.make.bind(this.recorders), this.#moment);
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
    for (const guard of this.guards) guard.end();
    this.guards.clear();
  }

  /** The application's own. To be told apart and ended, not to be looked at: that is what {@link state} does. */
  get pool(): PgPool {
    return this.#pool;
  }

  // ── what the pool is doing now ──

  /** Callers queued. */
  get waiting(): number {
    return countWaiting(this.#pool);
  }

  /** Callers queued that have gone meanwhile, as far as they are known. */
  countGone(): number {
    return this.#waiters.countGone();
  }

  /** The most connections the pool may open. */
  get limit(): number {
    return limitOf(this.#pool);
  }

  /** How long the last few holds took on average; 0 before the first. */
  get meanHoldSeconds(): number {
    return this.#holds.value;
  }

  state(): PoolState {
    return stateOf(this.#pool, this.#poolSize, {
      connecting: this.#dials.count(),
      dialFailing: this.#dials.failing(this.#lastHandedOutAt),
      dialFailingSeconds: this.#dials.failingSeconds(this.#lastHandedOutAt, now()),
      held: this.#connections.held(),
      waiters: this.#waiters,
      guards: this.guards,
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

  /** A connection beside the pool was opened: what failed before does not fail any more. */
  serverAnswers(): void {
    this.#dials.forgetFailures();
  }

  /** Called by the sampler before it reads, see {@link Peak}. */
  closePeakWindows(): void {
    this.#peakUsed.closeWindow(this.#countUsed());
    this.#peakWaiting.closeWindow(countWaiting(this.#pool));
  }

  #countUsed(): number {
    return this.#pool.totalCount - this.#pool.idleCount - this.#dials.count();
  }

  /** A connection has been held for too long. */
  suspect(hold: Hold): void {
    hold.isSuspected = true;
    this.leaks++;
    if (!hold.site) this.#sites?.missed(now());
  }

  // ── what happens in the pool (PoolObserver) ──
  // A mistake of ours must not become the application's. What each checkout comes through has its own `try`: calls by way
  // of `#quietly` cannot be inlined.

  notesSite(): boolean {
    return this.#sites?.take() === true;
  }

  requested(isExplicit: boolean, site: CallSite | undefined): Hold | undefined {
    try {
      const { nesting, reports } = this.#tools;
      const at = now();
      if (isExplicit) this.#sites?.refill(at);
      this.requests++;
      const outer = nesting?.holdOf(this.#pool);
      if (outer) reports.nestedCheckout(this, outer, site);
      const hold = new Hold(at, isExplicit, site, this.#started(), outer);
      if (isExplicit) nesting?.enter(this.#pool, hold);
      if (countFree(this.#pool) <= 0 && !this.recycling.isRefusing()) {
        this.#waiters.enter(hold, at);
        this.waits++;
      }
      return hold;
    } catch (fault) {
      this.faulted(fault);
      return undefined;
    }
  }

  enqueued(): void {
    try {
      this.#peakWaiting.raise(countWaiting(this.#pool));
    } catch (fault) {
      this.faulted(fault);
    }
  }

  settled(hold: Hold, error: unknown, client?: PgClient): void {
    if (this.#isDetached) return;
    try {
      if (hold.isWaiting) this.#waiters.leave(hold);
      if (error || client === undefined) this.#failed(error);
      else this.#handedOut(hold, client);
    } catch (fault) {
      this.faulted(fault);
    }
  }

  dialStarted(client: PgClient): void {
    this.#quietly(() => {
      this.#dials.started(client);
      this.queries?.follow(client);
    });
  }

  dialFailed(client: PgClient, error: unknown): void {
    this.#quietly(() => {
      this.queries?.forget(client);
      if (!this.#isDetached) this.#dials.failed(client, error, this.#lastHandedOutAt);
    });
  }

  connected(client: PgClient): void {
    this.#quietly(() => {
      const since = this.#dials.succeeded(client);
      this.connects++;
      this.#connections.opened(client);
      if (since !== undefined) this.recorders.create.record((now() - since) / MILLIS);
    });
  }

  released(client: PgClient, error: unknown): void {
    try {
      // First, and whatever comes of it: what the application does next is of another moment.
      const at = this.#moment.take() || now();
      const connection = this.#connections.get(client);
      if (!connection) return;
      const { hold } = connection;
      // Without a hold nobody had it: pg-pool releases idle clients whose lifetime is over as if somebody had.
      if (hold) this.#returned(connection, hold, at, error);
      this.#connections.released(connection, error, hold);
    } catch (fault) {
      this.faulted(fault);
    }
  }

  lost(client: PgClient): void {
    this.#quietly(() => this.#connections.lost(client));
  }

  removed(client: PgClient): void {
    this.#quietly(() => {
      this.#connections.removed(client);
      this.queries?.forget(client);
    });
  }

  #quietly(act: () => void): void {
    try {
      act();
    } catch (fault) {
      this.faulted(fault);
    }
  }

  faulted(fault: unknown): void {
    this.#tools.reports.faulted(this, fault);
  }

  /** Of the caller in whose flow this is. */
  #started(): CallerTask | undefined {
    return this.#tools.callers.current()?.starts(this.recorders);
  }

  #handedOut(hold: Hold, client: PgClient): void {
    const at = now();
    const waitSeconds = (at - hold.since) / MILLIS;
    hold.handedOut(at);
    const connection = this.#connections.get(client) ?? this.#connections.opened(client);
    connection.handedOut(hold);
    this.checkouts++;
    this.#lastHandedOutAt = at;
    this.recorders.wait.record(waitSeconds);
    this.#waiters.moved(at);
    this.#peakUsed.raise(this.#countUsed());
    hold.task?.waited(waitSeconds);
  }

  #returned(connection: Connection, hold: Hold, at: number, error: unknown): void {
    connection.returned(hold);
    const useSeconds = (at - hold.since) / MILLIS;
    if (hold.isExact) {
      this.recorders.use.record(useSeconds);
      // A leak that came back says nothing of how long the others take.
      if (!hold.isSuspected) this.#holds.add(useSeconds);
    }
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
    // Refused by recycling or a drain: no dial failed, and nobody waited in vain.
    if (error instanceof PoolscopeError) return;
    const timeout = timeoutType(error);
    if (timeout && this.#tools.codesTimeouts)
      codeTimeout(error, this.#pool, this.#dials.failing(this.#lastHandedOutAt));
    if (timeout === DIAL_TIMEOUT) this.dialTimeouts++;
    else if (timeout !== undefined) this.waitTimeouts++;
    else this.#dials.callerFailed(error);
  }
}
