import type { Attributes } from "@opentelemetry/api";
import { PoolscopeError } from "../errors.ts";
import { PoolQueries, type QueryReports, type QueryTools } from "../queries/pool-queries.ts";
import type { QueryCounts } from "../queries/query-counts.ts";
import type { ConnectionTarget } from "../server/own-connection.ts";
import type { CallSite } from "./call-site.ts";
import type { CallerTask } from "./callers.ts";
import { codeTimeout } from "./coded-timeout.ts";
import type { Connection } from "./connection.ts";
import { Connections, type HeldConnection } from "./connections.ts";
import type { Deadlock, PoolSeats } from "./deadlocks.ts";
import { DIAL_TIMEOUT, timeoutType } from "./dial-failure.ts";
import { clientClassOf } from "./dial-hooks.ts";
import { Dials } from "./dials.ts";
import { Hold, NO_HOLDS } from "./hold.ts";
import { hookPool, type PoolObserver } from "./hooks.ts";
import { LongHolds } from "./long-holds.ts";
import { Moment } from "./moment.ts";
import { MovingMean } from "./moving-mean.ts";
import type { NestedCheckouts } from "./nested-checkouts.ts";
import { Peak } from "./peak.ts";
import type { ConnectCallback, HookablePool, PgClient, PgPool } from "./pg-types.ts";
import { PoolCounts } from "./pool-counts.ts";
import { countWaiting, type LoadGuard, limitOf, type PoolState, stateOf } from "./pool-state.ts";
import type { PoolWatch } from "./pool-watch.ts";
import { countFree, countInQueue, type RecycleCounts, recycleCountsSoFar } from "./recycled-pools.ts";
import { SiteBudget } from "./site-budget.ts";
import { Waiters } from "./waiters.ts";
import { forgetWatch, noteWatch } from "./watch-of.ts";
import type { WatchTools } from "./watch-tools.ts";

const now = performance.now.bind(performance);
const MILLIS = 1000;

/**
 * One pool under watch: plain numbers, nothing shared with other pools. State is read from the pool when somebody
 * looks; only what leaves no trace in the pool (handing out, timeouts, dials) is counted as it happens.
 */
export class WatchedPool implements PoolObserver, PoolSeats {
  readonly counts: PoolCounts;
  /** What the application holds. Does not keep the pool. */
  readonly handle: PoolWatch;
  /** Undefined: they are not measured. */
  readonly queries: PoolQueries | undefined;
  /** How to reach the pool's server beside the pool: its class of clients as it was before the hooks. */
  readonly target: ConnectionTarget;

  /** Those who shed them. */
  readonly guards: Set<LoadGuard> = new Set();

  readonly #pool: HookablePool;
  readonly #poolSize: number | undefined;
  readonly #tools: WatchTools;
  readonly #dials: Dials;
  readonly #connections: Connections;
  readonly #waiters: Waiters;
  readonly #holds = new MovingMean();
  readonly #longHolds: LongHolds;
  /** Undefined: nobody wants to know the places of checkouts. */
  readonly #sites: SiteBudget | undefined;
  readonly #peakUsed = new Peak();
  readonly #peakWaiting = new Peak();
  readonly #moment: Moment;
  /** Stands for the pool in flows of the application, which may outlive it. */
  readonly #flowKey = {};
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
    this.counts = new PoolCounts(name, attributes, tools.recorders, tools.queries !== undefined);
    this.handle = handleOf(name, new WeakRef(this));
    this.target = { Client: clientClassOf(pool), options: pool.options };
    this.#poolSize = poolSize;
    this.#tools = tools;
    this.#longHolds = new LongHolds(tools.longHolds);
    this.#sites = tools.notesSites ? new SiteBudget(tools.notesSites === "all") : undefined;
    this.#dials = new Dials(pool, this.counts.connectFailures);
    this.#waiters = new Waiters(countInQueue(pool));
    this.#moment = new Moment();
    const { queries } = this.counts;
    this.queries = tools.queries && queries && this.#watchQueries(queries, tools.queries);
    const { nesting } = tools;
    this.#connections = new Connections(
      pool,
      this.counts.closes,
      tools.recorders.reuse,
      this.queries,
      (client) => this.#dials.has(client),
      nesting &&
        (({ hold }) => {
          if (!hold) return;
          hold.usedAt = now();
          if (hold.isExplicit) nesting.uses(this.#flowKey, hold);
        }),
    );
    this.#unhook = hookPool(pool, this, tools.callers, this.#moment);
    noteWatch(pool, this);
    nesting?.deadlocks.add(this);
  }

  #watchQueries(counts: QueryCounts, tools: QueryTools): PoolQueries {
    const holdOf = (client: PgClient) => this.#connections.get(client)?.hold;
    const reports: QueryReports = {
      slow: (client, query) => this.#tools.reports.slowQuery(this, query, client && holdOf(client)),
      started: () => this.#started(),
      faulted: (fault) => this.faulted(fault),
    };
    const { recorders } = this.counts;
    const queries = new PoolQueries(counts, tools, reports, recorders.make.bind(recorders), this.#moment);
    for (const client of this.#pool._clients ?? []) queries.follow(client);
    return queries;
  }

  /** True once the pool has ended or {@link detach} was called. */
  get isOver(): boolean {
    return this.#isDetached || this.#pool.ended;
  }

  get name(): string {
    return this.counts.name;
  }

  get attributes(): Attributes {
    return this.counts.attributes;
  }

  /** Brings the counts up to date with what happens in the pool without an event. */
  refresh(): void {
    this.#connections.sweep();
    this.counts.recycling = this.recycling.numbers;
  }

  /** Stops watching and leaves the pool as it was found. The counts stay readable. */
  detach(): void {
    if (this.#isDetached) return;
    this.refresh();
    this.#isDetached = true;
    this.#unhook();
    forgetWatch(this.#pool, this);
    this.queries?.end([...this.#connections.clients, ...(this.#pool._clients ?? [])]);
    this.#dials.forgetAll();
    this.#connections.forgetAll();
    this.#waiters.forgetAll();
    for (const guard of this.guards) guard.end();
    this.guards.clear();
  }

  /** The application's own. To be told apart and ended, not to be looked at: that is what {@link state} does. */
  get pool(): PgPool {
    return this.#pool;
  }

  /** What `recycle()` does to this pool, whichever of the two came first. */
  get recycling(): Readonly<RecycleCounts> {
    return recycleCountsSoFar(this.#pool);
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
      dialFailingSeconds: this.#dials.failingSeconds(this.#lastHandedOutAt, this.#tools.clock),
      clock: this.#tools.clock,
      held: this.#connections.held(),
      isKept: (connection) => this.keptAs(connection) !== undefined,
      waiters: this.#waiters,
      ...this.#waitingHolders(),
      guards: this.guards,
      peakUsed: this.#peakUsed,
      peakWaiting: this.#peakWaiting,
    });
  }

  #waitingHolders(): { heldByWaiters: number; deadlock: Deadlock | undefined } {
    const { nesting } = this.#tools;
    if (!nesting) return { heldByWaiters: 0, deadlock: undefined };
    const held = new Set([...this.#connections.held()].map(({ hold }) => hold));
    return { heldByWaiters: this.#waiters.countHolds(held), deadlock: nesting.deadlocks.of(this) };
  }

  takenSeats(): readonly Hold[] | undefined {
    const used = this.#countUsed();
    if (this.isOver || used < this.limit) return undefined;
    const held = [...this.#connections.held()];
    // The flow that was given a connection that is kept goes on without it.
    if (held.length < used || held.some((one) => this.keptAs(one) !== undefined)) return undefined;
    return held.map(({ hold }) => hold);
  }

  waitingHolds(): readonly Hold[] {
    return this.isOver ? NO_HOLDS : this.#waiters.holds();
  }

  /** The connections handed out, each with its hold. */
  held(): Iterable<HeldConnection> {
    return this.#connections.held();
  }

  /** From this long without use on a held connection is suspected of being a leak; 0: never. */
  get leakAfterMillis(): number {
    return this.#tools.leakAfterMillis;
  }

  /** Why a connection is held for good: what the application declared, `LISTEN`, or the entry of `longHolds`. */
  keptAs(connection: HeldConnection): string | undefined {
    const { hold } = connection;
    if (hold.keptAs !== undefined) return hold.keptAs;
    return connection.isListening(hold) ? "LISTEN" : this.#longHolds.ruleOf(hold);
  }

  /** @returns Whether the client is held */
  keep(client: PgClient, label: string): boolean {
    const hold = this.#connections.get(client)?.hold;
    if (hold) hold.keptAs = label;
    return hold !== undefined;
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

  /**
   * A connection was held, and not used, for too long.
   *
   * @returns Whether it is to be reported: the first time
   */
  suspect(hold: Hold): boolean {
    hold.isSuspected = true;
    const { seen } = hold;
    if (!seen || seen.isReported) return false;
    seen.isReported = true;
    this.counts.leaks++;
    if (hold.isExplicit && !hold.site?.isConclusive) this.#sites?.missed(now());
    return true;
  }

  // ── what happens in the pool (PoolObserver) ──
  // A mistake of ours must not become the application's. What each checkout comes through has its own `try`: calls by way
  // of `#quietly` cannot be inlined.

  siteDepth(): number {
    try {
      return this.#sites?.take() ?? 0;
    } catch (fault) {
      this.faulted(fault);
      return 0;
    }
  }

  requested(isExplicit: boolean, isPromised: boolean, site: CallSite | undefined): Hold | undefined {
    try {
      const { nesting } = this.#tools;
      const at = now();
      this.counts.requests++;
      const outers = nesting ? this.#outerHolds(nesting, site) : NO_HOLDS;
      const hold = new Hold(at, isExplicit, site, this.#started(), outers);
      if (isExplicit && isPromised) nesting?.asks(this.#flowKey, hold);
      const { recycling } = this;
      if ((recycling.gate?.isClosed || countFree(this.#pool) <= 0) && !recycling.isRefusing()) {
        this.#waiters.enter(hold, at);
        this.counts.waits++;
      }
      return hold;
    } catch (fault) {
      this.faulted(fault);
      return undefined;
    }
  }

  /** What the present flow holds; of this pool not what is held for good. The first of this pool is reported. */
  #outerHolds(nesting: NestedCheckouts, site: CallSite | undefined): readonly Hold[] {
    const found = nesting.holds();
    if (found.length === 0) return NO_HOLDS;
    const outers = found.filter(({ pool, hold }) => {
      const connection = pool === this.#flowKey && this.#connections.of(hold);
      return !connection || this.keptAs(connection) === undefined;
    });
    const outer = outers.find(({ pool }) => pool === this.#flowKey);
    if (outer) this.#tools.reports.nestedCheckout(this, outer.hold, site);
    return outers.map(({ hold }) => hold);
  }

  keepFlow(callback: ConnectCallback, hold: Hold): ConnectCallback {
    const { nesting } = this.#tools;
    return nesting ? nesting.keep(callback, this.#flowKey, hold) : callback;
  }

  outside<T>(act: () => T): T {
    const { nesting, callers } = this.#tools;
    return nesting ? callers.outside(() => nesting.outside(act)) : callers.outside(act);
  }

  enqueued(): void {
    try {
      this.#peakWaiting.raise(countWaiting(this.#pool));
    } catch (fault) {
      this.faulted(fault);
    }
  }

  settled(hold: Hold, error: unknown, client?: PgClient): void {
    // Once it is handed out, whatever the application makes of it.
    if (this.#isDetached || hold.isHandedOut) return;
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
      this.counts.recycling = this.recycling.numbers;
      this.counts.connects++;
      this.#connections.opened(client);
      if (since !== undefined) this.counts.recorders.create.record((now() - since) / MILLIS);
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
    return this.#tools.callers.current()?.starts(this.counts.recorders);
  }

  #handedOut(hold: Hold, client: PgClient): void {
    const at = now();
    const waitSeconds = (at - hold.since) / MILLIS;
    hold.handedOut(at);
    if (hold.isExplicit) this.#tools.nesting?.handedOut(hold);
    const connection = this.#connections.get(client) ?? this.#connections.opened(client);
    connection.handedOut(hold);
    this.counts.checkouts++;
    this.#lastHandedOutAt = at;
    this.counts.recorders.wait.record(waitSeconds);
    this.#waiters.moved(at);
    this.#peakUsed.raise(this.#countUsed());
    hold.task?.waited(waitSeconds);
  }

  #returned(connection: Connection, hold: Hold, at: number, error: unknown): void {
    connection.returned(hold);
    const useSeconds = (at - hold.since) / MILLIS;
    if (hold.isExact) {
      this.counts.recorders.use.record(useSeconds);
      // A leak that came back says nothing of how long the others take.
      if (!hold.seen?.isReported) this.#holds.add(useSeconds);
    }
    this.#waiters.moved(at);
    if (hold.seen?.isReported) this.#tools.reports.leakReturned(this, connection, hold);
    if (hold.isExplicit && connection.endedBy) this.#tools.reports.lostWhileHeld(this, connection, hold);
    // With an error the connection is closed, and the transaction with it.
    if (!error && connection.isInTransaction) {
      this.counts.releasedInTransaction++;
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
    if (timeout === DIAL_TIMEOUT) this.counts.dialTimeouts++;
    else if (timeout !== undefined) this.counts.waitTimeouts++;
    else this.#dials.callerFailed(error);
  }
}

/** Made out here: a function that is made in a method may keep all that others made there refer to. */
function handleOf(name: string, watched: WeakRef<WatchedPool>): PoolWatch {
  return Object.freeze({ name, unwatch: () => watched.deref()?.detach() });
}
