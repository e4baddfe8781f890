import type { Attributes } from "@opentelemetry/api";
import { ErrorCounts } from "../error-type.ts";
import { QueryCounts } from "../queries/query-counts.ts";
import { type CloseReason, noCloses } from "./close-reason.ts";
import { KNOWN_DIAL_FAILURES } from "./dial-failure.ts";
import { NEVER_RECYCLED, type RecycleNumbers } from "./recycled-pools.ts";
import type { PoolRecorders } from "./watch-tools.ts";

/**
 * What one watched pool has counted, in plain numbers. Nothing here refers to the pool: readers keep it for a while after
 * the pool has ended, or was dropped and collected as garbage.
 */
export class PoolCounts {
  readonly name: string;
  readonly attributes: Attributes;
  readonly recorders: PoolRecorders;
  /** Undefined: queries are not measured. */
  readonly queries: QueryCounts | undefined;

  /** Every request for a connection: those given one, those that gave up or failed, and those still queued. */
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
  /** Failed dials by `error.type`. */
  readonly connectFailures: ErrorCounts = new ErrorCounts(KNOWN_DIAL_FAILURES);
  /** Together they are all connections that were open once and are not any more. */
  readonly closes: Map<CloseReason, number> = noCloses();
  /** What `recycle()` has done to the pool. */
  recycling: Readonly<RecycleNumbers> = NEVER_RECYCLED.numbers;

  constructor(name: string, attributes: Attributes, recorders: PoolRecorders, measuresQueries: boolean) {
    this.name = name;
    this.attributes = attributes;
    this.recorders = recorders;
    this.queries = measuresQueries ? new QueryCounts() : undefined;
  }
}
