import { ErrorCounts } from "../error-type.ts";
import { BusyTimes } from "./busy-times.ts";
import { KNOWN_QUERY_FAILURES } from "./query-failure.ts";

/** What the queries of one pool have come to, besides durations and rows. */
export class QueryCounts {
  /** How many took longer than `slowQueryMillis`. */
  slow = 0;
  /** How long those took that did not fail. */
  readonly busyTimes: BusyTimes = new BusyTimes();
  /** Failed queries by `error.type`. */
  readonly errors: ErrorCounts = new ErrorCounts(KNOWN_QUERY_FAILURES);
}
