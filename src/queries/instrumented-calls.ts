import {
  type Attributes,
  createNoopMeter,
  type Histogram,
  type Meter,
  type MeterProvider,
  type Span,
  type Tracer,
  type TracerProvider,
  trace,
} from "@opentelemetry/api";
import { ATTR_ERROR_TYPE, METRICS } from "../metrics/semconv.ts";
import type { Callers } from "../watch/callers.ts";
import { isSame, override } from "../watch/override.ts";
import type { PgClient } from "../watch/pg-types.ts";
import type { ClientQueries } from "./client-queries.ts";
import { type NextRecord, QuerySpan } from "./query-span.ts";
import type { GivenQuery } from "./query-text.ts";
import { returnedRows } from "./returned-rows.ts";

/** A call of `query` on a client of a watched pool, while it has not returned. */
interface Call {
  readonly queries: ClientQueries;
  readonly given: GivenQuery;
}

type QueryingClient = PgClient & { query(...args: unknown[]): unknown };

/**
 * Stands between the instrumentation and OpenTelemetry, so that each duration it records finds the pool it is of. What
 * the instrumentation does is synchronous at both ends: within `client.query` it starts one span, and right before it
 * records it tells `responseHook` or the span's status how the query ended. Queries of other clients than those of
 * watched pools are let through and forgotten.
 */
export class InstrumentedCalls {
  #calling: Call | undefined;
  /** Set right before a record and cleared by it, or by the end of the span. */
  readonly #next: NextRecord = { span: undefined };
  readonly #callers: Callers;

  constructor(callers: Callers) {
    this.#callers = callers;
  }

  /** Notes, for the length of each call of the client's `query`, that it is the one. */
  follow(queries: ClientQueries): () => void {
    const client = queries.client as QueryingClient;
    if (typeof client.query !== "function") return () => {};
    let active = true;
    const query = (receiver: QueryingClient, original: QueryingClient["query"], args: unknown[]) => {
      const outer = this.#calling;
      const call: Call = { queries, given: args[0] as GivenQuery };
      this.#calling = call;
      const callback = args.at(-1);
      if (typeof callback === "function")
        args[args.length - 1] = this.#callers.keep(callback as () => unknown);
      try {
        return Reflect.apply(original, receiver, args);
      } finally {
        if (this.#calling === call) queries.faulted(new Error(UNSEEN));
        this.#calling = outer;
      }
    };
    const unhook = override(client, "query", (original) => {
      return function (this: QueryingClient, ...args: unknown[]): unknown {
        return active && !queries.pool.isOver && (this === client || isSame(this, client))
          ? query(this, original, args)
          : Reflect.apply(original, this, args);
      };
    });
    return () => {
      active = false;
      unhook();
    };
  }

  /** Gives spans of the application's tracer. */
  readonly tracerProvider: TracerProvider = {
    getTracer: (name, version) => {
      const tracer = trace.getTracer(name, version);
      const startSpan: Tracer["startSpan"] = (...span) => this.#started(tracer.startSpan(...span));
      return { startSpan, startActiveSpan: tracer.startActiveSpan.bind(tracer) };
    },
  };

  /** Hears the durations, and nothing else. */
  readonly meterProvider: MeterProvider = {
    getMeter: () => {
      const meter = createNoopMeter();
      const durations: Histogram = { record: (seconds, attributes) => this.#record(seconds, attributes) };
      const createHistogram: Meter["createHistogram"] = (name, options) =>
        name === METRICS.queryDuration.name ? durations : meter.createHistogram(name, options);
      return Object.assign(Object.create(meter) as Meter, { createHistogram });
    },
  };

  readonly responseHook = (span: Span, { data }: { data: unknown }): void => {
    this.#next.span = undefined;
    if (!(span instanceof QuerySpan)) return;
    this.#next.span = span;
    span.rows = returnedRows(data);
  };

  #started(span: Span): Span {
    const call = this.#calling;
    if (!call) return span;
    // One call, one span: what the call goes on to call is not the pool's.
    this.#calling = undefined;
    return new QuerySpan(span, call.queries.began(call.given), this.#next);
  }

  #record(seconds: number, attributes: Attributes | undefined): void {
    const { span } = this.#next;
    this.#next.span = undefined;
    span?.over(seconds, attributes?.[ATTR_ERROR_TYPE]);
  }
}

const UNSEEN =
  "@opentelemetry/instrumentation-pg does not see its queries; is there another PgInstrumentation, or another class of clients?";
