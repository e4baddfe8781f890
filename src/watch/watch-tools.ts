import type { Attributes } from "@opentelemetry/api";
import type { Recorder } from "../metrics/histogram.ts";
import type { HistogramWindows } from "../metrics/histogram-windows.ts";
import type { HistogramName } from "../metrics/semconv.ts";
import type { FinishedQuery, QueryTools } from "../queries/pool-queries.ts";
import type { AwakeClock } from "./awake-clock.ts";
import type { CallSite } from "./call-site.ts";
import type { Callers } from "./callers.ts";
import type { Connection } from "./connection.ts";
import type { Hold } from "./hold.ts";
import type { PlaceRule } from "./long-holds.ts";
import type { NestedCheckouts } from "./nested-checkouts.ts";
import type { WatchedPool } from "./watched-pool.ts";

/** Where the measurements of a watched pool go. Seconds, but for `reuse`: checkouts of a connection when it closes. */
export interface PoolRecorders {
  readonly wait: Recorder;
  readonly use: Recorder;
  readonly create: Recorder;
  readonly reuse: Recorder;
  /** The same measurements since the last sample. */
  readonly windows: HistogramWindows;
  /** One more series: `labels` come on top of the pool's attributes. */
  make(metric: HistogramName, labels: Attributes): Recorder;
}

/** What is worth saying at once. Called in the middle of the application's work: must not throw. */
export interface PoolReports {
  /** A connection given back after all, that had been reported as a leak. */
  leakReturned(pool: WatchedPool, connection: Connection, hold: Hold): void;
  releasedInTransaction(pool: WatchedPool, connection: Connection, hold: Hold): void;
  /** A connection was released whose session the server had ended while it was held. */
  lostWhileHeld(pool: WatchedPool, connection: Connection, hold: Hold): void;
  nestedCheckout(pool: WatchedPool, outer: Hold, inner: CallSite | undefined): void;
  /** A query took longer than `slowQueryMillis`. @param hold Under which it ran, if that is known */
  slowQuery(pool: WatchedPool, query: FinishedQuery, hold: Hold | undefined): void;
  /** Poolscope made a mistake while it watched. */
  faulted(pool: WatchedPool, fault: unknown): void;
}

/** What a watch works with besides the pool. */
export interface WatchTools {
  readonly recorders: PoolRecorders;
  readonly reports: PoolReports;
  /** Undefined: nested checkouts are not looked for. */
  readonly nesting: NestedCheckouts | undefined;
  readonly callers: Callers;
  readonly clock: AwakeClock;
  /** Whether timeout errors are given a code and the pool's numbers. */
  readonly codesTimeouts: boolean;
  /** From this long without use on a held connection is suspected of being a leak; 0: never. */
  readonly leakAfterMillis: number;
  /** Places whose connections are held for good. */
  readonly longHolds: readonly PlaceRule[];
  /** Whether to note where connections are asked for: of some checkouts where there are very many. */
  readonly notesSites: "some" | "all" | undefined;
  /** Undefined: queries are not measured. */
  readonly queries: QueryTools | undefined;
}
