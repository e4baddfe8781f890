import { ErrorCounts } from "../error-type.ts";
import { KNOWN_QUERY_FAILURES } from "./query-failure.ts";

/** What the queries of one pool have come to, besides durations and rows. */
export class QueryCounts {
  /** How many took longer than `slowQueryMillis`. */
  slow = 0;
  /** Failed queries by `error.type`. */
  readonly errors: ErrorCounts = new ErrorCounts(KNOWN_QUERY_FAILURES);
}
