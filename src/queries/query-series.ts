import type { Attributes } from "@opentelemetry/api";
import { OTHER_ERROR_TYPE } from "../error-type.ts";
import { getOrCreate } from "../get-or-create.ts";
import type { Recorder } from "../metrics/histogram.ts";
import {
  ATTR_ERROR_TYPE,
  ATTR_OPERATION_NAME,
  ATTR_QUERY_SUMMARY,
  ATTR_STATUS_CODE,
} from "../metrics/semconv.ts";

/** What tells one series from another. Each from a closed or bounded set. */
export interface QueryLabels {
  /** One of OPERATION_NAMES. */
  readonly operation: string | undefined;
  readonly summary: string | undefined;
  /** Counted by ErrorCounts, which bounds it. */
  readonly errorType: string | undefined;
  /** SQLSTATE. */
  readonly statusCode: string | undefined;
}

export type MakeRecorder = (metric: "queryDuration" | "returnedRows", labels: Attributes) => Recorder;

/** More than real applications have, and few enough for memory and for every backend. */
const MAX_SERIES = 1_000;

/** Where the queries of one pool are recorded that share all labels. */
export class QuerySeries {
  readonly #make: MakeRecorder;
  readonly #labels: QueryLabels;
  readonly #duration: Recorder;
  /** Made with the first rows: most verbs return none. */
  #rows: Recorder | undefined;

  constructor(make: MakeRecorder, labels: QueryLabels) {
    this.#make = make;
    this.#labels = labels;
    this.#duration = make("queryDuration", attributesOf(labels));
  }

  record(seconds: number, rows: number | undefined): void {
    this.#duration.record(seconds);
    if (rows === undefined) return;
    this.#rows ??= this.#make("returnedRows", attributesOf(this.#labels));
    this.#rows.record(rows);
  }
}

type ByOperation = Map<string | undefined, QuerySeries>;

/** The series of one pool. Beyond {@link MAX_SERIES} new ones keep their `error.type` alone. */
export class QuerySeriesSet {
  readonly #make: MakeRecorder;
  readonly #plain: ByOperation = new Map();
  readonly #special = new Map<string, ByOperation>();
  #size = 0;
  #last: QuerySeries | undefined;
  #lastOperation: string | undefined;

  constructor(make: MakeRecorder) {
    this.#make = make;
  }

  /** Of queries without a name that succeeded: almost all. */
  plain(operation: string | undefined): QuerySeries {
    // Mostly it is the one before.
    if (!this.#last || operation !== this.#lastOperation) {
      this.#last = this.#getOf(this.#plain, { ...NO_LABELS, operation });
      this.#lastOperation = operation;
    }
    return this.#last;
  }

  get(labels: QueryLabels): QuerySeries {
    const { operation, summary, errorType } = labels;
    if (summary === undefined && errorType === undefined) return this.plain(operation);
    const byOperation = getOrCreate(this.#special, `${errorType ?? ""} ${summary ?? ""}`, () => new Map());
    return this.#getOf(byOperation, labels);
  }

  #getOf(byOperation: ByOperation, labels: QueryLabels): QuerySeries {
    const { operation, summary } = labels;
    const series = byOperation.get(operation);
    if (series) return series;
    if (this.#size >= MAX_SERIES && (operation !== undefined || summary !== undefined)) {
      return this.get({ ...labels, operation: undefined, summary: undefined });
    }
    const made = new QuerySeries(this.#make, labels);
    byOperation.set(operation, made);
    this.#size++;
    return made;
  }
}

const NO_LABELS: QueryLabels = {
  operation: undefined,
  summary: undefined,
  errorType: undefined,
  statusCode: undefined,
};

function attributesOf({ operation, summary, errorType, statusCode }: QueryLabels): Attributes {
  const isOther = errorType === OTHER_ERROR_TYPE;
  return {
    ...(operation !== undefined && { [ATTR_OPERATION_NAME]: operation }),
    ...(summary !== undefined && { [ATTR_QUERY_SUMMARY]: summary }),
    ...(errorType !== undefined && { [ATTR_ERROR_TYPE]: errorType }),
    ...(statusCode !== undefined && !isOther && { [ATTR_STATUS_CODE]: statusCode }),
  };
}
