import { ErrorCounts } from "../error-type.ts";
import type { CallerTask } from "../watch/callers.ts";
import type { PgClient } from "../watch/pg-types.ts";
import { operationName } from "./operation-name.ts";
import { KNOWN_QUERY_FAILURES, queryFailure } from "./query-failure.ts";
import type { FinishQuery, QueryObserver } from "./query-hooks.ts";
import type { QueryNames } from "./query-names.ts";
import { type MakeRecorder, type QueryLabels, QuerySeriesSet } from "./query-series.ts";
import { type GivenQuery, textOf } from "./query-text.ts";

/** One query that is over. */
export interface FinishedQuery {
  readonly text: string;
  readonly seconds: number;
  readonly rows: number | undefined;
  readonly labels: QueryLabels;
}

/** What the queries of a pool are recorded with. */
export interface QueryTools {
  readonly names: QueryNames;
  /** Infinity: no query is slow. */
  readonly slowSeconds: number;
  /** Attaches to one client. What it returns lets go of it. */
  readonly follow: (client: PgClient, queries: PoolQueries) => () => void;
}

/** Called once or more; only the first call counts. Never throws. @param error Undefined or null: it went well */
export type EndQuery = (seconds: number, error: unknown, rows: number | undefined) => void;

/** What only the pool can do with its queries. Must not throw. */
export interface QueryReports {
  slow(client: PgClient | undefined, query: FinishedQuery): void;
  /** A query starts in the present flow. @returns Whose it is; undefined: nobody is told */
  started(): CallerTask | undefined;
  faulted(fault: unknown): void;
}

const now = performance.now.bind(performance);

/** The queries of one pool, in plain numbers. */
export class PoolQueries implements QueryObserver {
  /** How many took longer than `slowQueryMillis`. */
  slow = 0;
  readonly #errors = new ErrorCounts(KNOWN_QUERY_FAILURES);
  readonly #series: QuerySeriesSet;
  readonly #tools: QueryTools;
  readonly #reports: QueryReports;
  readonly #hooked = new Map<PgClient, () => void>();

  constructor(tools: QueryTools, reports: QueryReports, makeRecorder: MakeRecorder) {
    this.#tools = tools;
    this.#reports = reports;
    this.#series = new QuerySeriesSet(makeRecorder);
  }

  /** Failed queries by `error.type`. */
  get errors(): ReadonlyMap<string, number> {
    return this.#errors.counts;
  }

  /** Follows the queries of a client from now on. Once is enough. */
  follow(client: PgClient): void {
    if (!this.#hooked.has(client)) this.#hooked.set(client, this.#tools.follow(client, this));
  }

  forget(client: PgClient): void {
    this.#hooked.get(client)?.();
    this.#hooked.delete(client);
  }

  forgetAll(): void {
    for (const client of this.#hooked.keys()) this.forget(client);
  }

  queried(client: PgClient, query: GivenQuery): FinishQuery {
    const startedAt = now();
    const end = this.began(client, query);
    return (error, rows, endedAt = now()) => end((endedAt - startedAt) / 1000, error, rows);
  }

  /** Like {@link queried}, for those who have a clock of their own. */
  began(client: PgClient, query: GivenQuery): EndQuery {
    let isOver = false;
    let text = "";
    let summary: string | undefined;
    let task: CallerTask | undefined;
    try {
      text = textOf(query);
      summary = this.#tools.names.of(query);
      task = this.#reports.started();
    } catch (fault) {
      this.#reports.faulted(fault);
    }
    return (seconds, error, rows) => {
      if (isOver) return;
      isOver = true;
      try {
        this.#record(client, text, summary, seconds, error, rows);
        task?.queried(seconds);
      } catch (fault) {
        this.#reports.faulted(fault);
      }
    };
  }

  faulted(fault: unknown): void {
    this.#reports.faulted(fault);
  }

  #record(
    client: PgClient,
    text: string,
    summary: string | undefined,
    seconds: number,
    error: unknown,
    rows: number | undefined,
  ): void {
    const failure = error == null ? undefined : queryFailure(error);
    const labels: QueryLabels = {
      operation: operationName(text),
      summary,
      errorType: failure && this.#errors.count(failure.type),
      statusCode: failure?.statusCode,
    };
    const series = this.#series.get(labels);
    series.duration.record(seconds);
    if (rows !== undefined && !failure) this.#series.recordRows(series, labels, rows);
    if (seconds < this.#tools.slowSeconds) return;
    this.slow++;
    this.#reports.slow(client, { text, seconds, rows, labels });
  }
}
