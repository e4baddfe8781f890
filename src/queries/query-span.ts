import {
  type Attributes,
  type Exception,
  type Link,
  type Span,
  type SpanContext,
  type SpanStatus,
  SpanStatusCode,
  type TimeInput,
} from "@opentelemetry/api";
import { ReportedFailure } from "./query-failure.ts";
import type { RunningQuery } from "./running-query.ts";

/** The query whose duration the instrumentation records next, if it is one of a watched pool. */
export interface NextRecord {
  span: QuerySpan | undefined;
}

/** In `recordException`, in all releases so far: `… of type 'error' occurred (code: 22012)`. */
const EXCEPTION = /^PostgreSQL error of type '(.*)' occurred \(code: (.*)\)$/;

/**
 * The span of one query of a watched pool. It passes everything on to the real one, and hears on the way how the query
 * ended: what the instrumentation tells its histogram is which database and, of some failures, which code.
 */
export class QuerySpan implements Span {
  rows: number | undefined;
  readonly #span: Span;
  readonly #running: RunningQuery;
  readonly #next: NextRecord;
  readonly #startedAt: number = performance.now();
  #status: SpanStatus | undefined;
  #exception: unknown;

  constructor(span: Span, running: RunningQuery, next: NextRecord) {
    this.#span = span;
    this.#running = running;
    this.#next = next;
  }

  /** @param code `error.type` of the instrumentation's own attributes, which is `code` of the error */
  over(seconds: number, code?: unknown): void {
    this.#running.overAfter(seconds, this.#failure(code), this.rows);
  }

  /** Right behind it the instrumentation records, unless pg threw. */
  setStatus(status: SpanStatus): this {
    if (status.code === SpanStatusCode.ERROR) {
      this.#status = status;
      this.#next.span = this;
    }
    this.#span.setStatus(status);
    return this;
  }

  recordException(exception: Exception, time?: TimeInput): void {
    this.#exception = exception;
    this.#span.recordException(exception, time);
  }

  end(endTime?: TimeInput): void {
    if (this.#next.span === this) this.#next.span = undefined;
    // Of a query that pg refused on the spot the instrumentation records nothing.
    if (this.#status) this.over((performance.now() - this.#startedAt) / 1000);
    this.#span.end(endTime);
  }

  #failure(code: unknown): ReportedFailure | undefined {
    if (!this.#status) return undefined;
    const exception = typeof this.#exception === "string" ? this.#exception : "";
    const [, className, reportedCode] = EXCEPTION.exec(exception) ?? [];
    const known = code ?? (reportedCode === "UNKNOWN" ? undefined : reportedCode);
    return new ReportedFailure(known, className, this.#status.message);
  }

  // ── passed on ──

  spanContext(): SpanContext {
    return this.#span.spanContext();
  }

  setAttribute(...args: Parameters<Span["setAttribute"]>): this {
    this.#span.setAttribute(...args);
    return this;
  }

  setAttributes(attributes: Attributes): this {
    this.#span.setAttributes(attributes);
    return this;
  }

  addEvent(...args: Parameters<Span["addEvent"]>): this {
    this.#span.addEvent(...args);
    return this;
  }

  addLink(link: Link): this {
    this.#span.addLink(link);
    return this;
  }

  addLinks(links: Link[]): this {
    this.#span.addLinks(links);
    return this;
  }

  updateName(name: string): this {
    this.#span.updateName(name);
    return this;
  }

  isRecording(): boolean {
    return this.#span.isRecording();
  }
}
