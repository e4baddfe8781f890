import type { Attributes } from "@opentelemetry/api";
import type { CollectionResult } from "@opentelemetry/sdk-metrics";
import type { PoolState } from "../watch/pool-state.ts";
import type { PoolRecorders } from "../watch/watch-tools.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";
import type { DeliveryCounts } from "./scope-instruments.ts";

/** How poolscope lives with OpenTelemetry: with a provider of its own, or as a guest of the application's. */
export interface Telemetry {
  /** Where the measurements of a pool with these attributes go. */
  recorders(attributes: Attributes): PoolRecorders;
  /** Exports what became of the messages about alerts. */
  observeNotifiers(notifiers: readonly DeliveryCounts[]): void;
  /**
   * One collection by the reader that readings, health and the Prometheus text are made from. Rejects when poolscope's
   * part of it is not complete and fresh: the SDK repeats old values after an error.
   */
  collect(timeoutMillis: number): Promise<CollectionResult>;
  /** What the collection saw a pool doing: what a reading tells beyond numbers. */
  state(pool: WatchedPool): PoolState | undefined;
  /** Sends what is still to be sent and ends what poolscope began. */
  shutdown(timeoutMillis: number): Promise<void>;
}
