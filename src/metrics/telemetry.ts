import type { Attributes } from "@opentelemetry/api";
import type { PoolState } from "../watch/pool-state.ts";
import type { PoolRecorders } from "../watch/watch-tools.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";
import type { DeliveryCounts } from "./scope-numbers.ts";
import type { ObservableName } from "./semconv.ts";

/** What the exported metrics say of one pool at one moment. */
export interface PoolMetrics {
  /** What a reading tells beyond numbers. */
  readonly state: PoolState;
  /** Whether the metric is told of this pool at all. */
  has(metric: ObservableName): boolean;
  /** 0 where there is no such series. @param label The value of the metric's own attribute, where it has one */
  value(metric: ObservableName, label?: string): number;
  byLabel(metric: ObservableName): Iterable<readonly [label: string, value: number]>;
}

/** How poolscope lives with OpenTelemetry: with a provider of its own, or as a guest of the application's. */
export interface Telemetry {
  /** Where the measurements of a pool with these attributes go. */
  recorders(attributes: Attributes): PoolRecorders;
  /** Exports what became of the messages about alerts. */
  observeNotifiers(notifiers: readonly DeliveryCounts[]): void;
  /**
   * What `tell` makes of the metrics of each pool under watch, in the order they were watched. Rejects when poolscope's
   * metrics are not complete and fresh: the SDK repeats old values after an error.
   */
  look<T>(tell: (pool: WatchedPool, metrics: PoolMetrics) => T): Promise<T[]>;
  /** All metrics of this moment in the text exposition format, in pieces. Rejects like {@link look}. */
  prometheusText(): Promise<Iterable<Buffer>>;
  /** Exports what was recorded so far. Rejects when that fails, and may never settle. */
  flush(timeoutMillis: number): Promise<void>;
  /** Sends what is still to be sent and ends what poolscope began. */
  shutdown(timeoutMillis: number): Promise<void>;
}
