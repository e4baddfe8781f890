import type { CallerTask } from "../watch/callers.ts";
import type { Moment } from "../watch/moment.ts";
import type { PgClient } from "../watch/pg-types.ts";
import { ClientQueries } from "./client-queries.ts";
import { type ConformingStrings, followConformingStrings } from "./conforming-strings.ts";
import { operationName } from "./operation-name.ts";
import type { QueryCounts } from "./query-counts.ts";
import { queryFailure } from "./query-failure.ts";
import type { QueryNames } from "./query-names.ts";
import { type MakeRecorder, type QueryLabels, QuerySeriesSet } from "./query-series.ts";
import { type GivenQuery, textOf } from "./query-text.ts";
import type { RunningQuery } from "./running-query.ts";

/** One query that is over. */
export interface FinishedQuery {
  readonly text: string;
  readonly strings: ConformingStrings;
  readonly seconds: number;
  readonly rows: number | undefined;
  readonly labels: QueryLabels;
}

/** What the queries of a pool are recorded with. */
export interface QueryTools {
  /** Undefined: queries have no names. */
  readonly names: QueryNames | undefined;
  /** Infinity: no query is slow. */
  readonly slowSeconds: number;
  /** Attaches to one client. What it returns lets go of it. */
  readonly follow: (queries: ClientQueries) => () => void;
}

/** What only the pool can do with its queries. Must not throw. */
export interface QueryReports {
  slow(client: PgClient | undefined, query: FinishedQuery): void;
  /** A query starts in the present flow. @returns Whose it is; undefined: nobody is told */
  started(): CallerTask | undefined;
  faulted(fault: unknown): void;
}

interface Followed {
  readonly queries: ClientQueries;
  readonly unhook: () => void;
  readonly unfollow: () => void;
}

/** The queries of one pool, in plain numbers. */
export class PoolQueries {
  readonly moment: Moment;
  readonly #counts: QueryCounts;
  readonly #series: QuerySeriesSet;
  readonly #tools: QueryTools;
  readonly #reports: QueryReports;
  /** Weakly: a client that is refused by the pool's `onConnect` leaves without an event. */
  readonly #followed = new WeakMap<PgClient, Followed>();
  #isOver = false;

  constructor(
    counts: QueryCounts,
    tools: QueryTools,
    reports: QueryReports,
    makeRecorder: MakeRecorder,
    moment: Moment,
  ) {
    this.moment = moment;
    this.#counts = counts;
    this.#tools = tools;
    this.#reports = reports;
    this.#series = new QuerySeriesSet(makeRecorder);
  }

  /** No query is followed any more, of whatever client. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Follows the queries of a client from now on. Once is enough. */
  follow(client: PgClient): ClientQueries {
    const followed = this.#followed.get(client);
    if (followed) return followed.queries;
    const queries = new ClientQueries(client, this);
    const unhook = this.#tools.follow(queries);
    const unfollow = followConformingStrings(client, (setting) => {
      queries.strings = setting;
    });
    this.#followed.set(client, { queries, unhook, unfollow });
    return queries;
  }

  forget(client: PgClient): void {
    const followed = this.#followed.get(client);
    followed?.unhook();
    followed?.unfollow();
    this.#followed.delete(client);
  }

  /** @param clients Those that are known */
  end(clients: Iterable<PgClient>): void {
    this.#isOver = true;
    for (const client of clients) this.forget(client);
  }

  /** Never throws. */
  began(running: RunningQuery, given: GivenQuery): void {
    try {
      running.text = textOf(given);
      running.summary = this.#tools.names?.of(given);
      running.task = this.#reports.started();
    } catch (fault) {
      this.faulted(fault);
    }
  }

  /** Never throws. @returns Its verb, if that is certain */
  ended(
    client: PgClient,
    { text, summary, task }: RunningQuery,
    seconds: number,
    error: unknown,
    rows: number | undefined,
  ): string | undefined {
    try {
      const operation = operationName(text);
      const failure = error == null ? undefined : queryFailure(error);
      const errorType = failure && this.#counts.errors.count(failure.type);
      const statusCode = failure?.statusCode;
      const isPlain = summary === undefined && failure === undefined;
      const series = isPlain
        ? this.#series.plain(operation)
        : this.#series.get({ operation, summary, errorType, statusCode });
      series.record(seconds, failure ? undefined : rows);
      if (seconds >= this.#tools.slowSeconds) {
        this.#counts.slow++;
        const labels = { operation, summary, errorType, statusCode };
        const strings = this.#followed.get(client)?.queries.strings ?? "unknown";
        this.#reports.slow(client, { text, strings, seconds, rows, labels });
      }
      task?.queried(seconds);
      return operation;
    } catch (fault) {
      this.faulted(fault);
      return undefined;
    }
  }

  faulted(fault: unknown): void {
    this.#reports.faulted(fault);
  }
}
