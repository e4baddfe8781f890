import type { Events, SlowQuery } from "../events.ts";
import type { Logger } from "../logger.ts";
import type { Hold } from "../watch/hold.ts";
import type { ConformingStrings } from "./conforming-strings.ts";
import type { FinishedQuery } from "./pool-queries.ts";
import { fingerprintOf, redactSql } from "./redact-sql.ts";
import { SlowGroups, type SlowQueryGroup } from "./slow-groups.ts";
import { millis, SlowLog } from "./slow-log.ts";

const MAX_REDACTED = 500;
/** Longer texts are generated ones: they do not come twice. */
const MAX_REMEMBERED_LENGTH = 2_000;

/** Logs slow queries, emits them as events, and keeps the worst. */
export class SlowQueries {
  readonly #log: SlowLog;
  readonly #events: Events;
  readonly #groups = new SlowGroups();
  /** Texts seen before: an application has few, and redacting one costs microseconds. */
  readonly #redacted = new Map<string, { readonly sql: string; readonly fingerprint: string }>();

  constructor(logger: Logger, events: Events, slowQueryMillis: number) {
    this.#log = new SlowLog(logger, (query) => describe(query, slowQueryMillis));
    this.#events = events;
  }

  /** @param hold Under which the query ran, if that is known */
  slow(pool: string, { text, strings, seconds, rows, labels }: FinishedQuery, hold: Hold | undefined): void {
    const site = hold?.site?.location;
    const query: SlowQuery = {
      pool,
      seconds,
      ...(hold?.waitSeconds !== undefined && { waitSeconds: hold.waitSeconds }),
      ...(rows !== undefined && { rows }),
      ...(labels.operation !== undefined && { operation: labels.operation }),
      ...(labels.summary !== undefined && { summary: labels.summary }),
      ...(labels.errorType !== undefined && { errorType: labels.errorType }),
      ...this.#redact(text, strings),
      ...(site !== undefined && { site }),
    };
    this.#groups.add(query);
    this.#log.add(query);
    this.#events.emit("slowQuery", query);
  }

  worst(limit: number, pool?: string): SlowQueryGroup[] {
    return this.#groups.worst(limit, pool);
  }

  /** Logs what was swallowed. Called at times, and at the end. */
  flush(isEnd = false): void {
    this.#log.flush(isEnd);
  }

  forget(pool: string): void {
    this.#groups.forget(pool);
  }

  #redact(text: string, strings: ConformingStrings): { readonly sql: string; readonly fingerprint: string } {
    const key = strings === "on" ? text : `${strings} ${text}`;
    let redacted = this.#redacted.get(key);
    if (!redacted) {
      const sql = redactSql(text, strings);
      redacted = { sql, fingerprint: fingerprintOf(sql) };
      if (this.#redacted.size >= MAX_REDACTED) this.#redacted.clear();
      if (text.length <= MAX_REMEMBERED_LENGTH) this.#redacted.set(key, redacted);
    }
    return redacted;
  }
}

function describe(query: SlowQuery, slowQueryMillis: number): string {
  const { pool, seconds, waitSeconds, rows, operation, summary, errorType, sql, fingerprint, site } = query;
  const facts = [
    operation && `operation=${operation}`,
    summary && `summary=${summary}`,
    waitSeconds !== undefined && `waited=${millis(waitSeconds)}`,
    rows !== undefined && `rows=${rows}`,
    errorType && `error=${errorType}`,
    site && `site=${site}`,
    `fingerprint=${fingerprint}`,
    `slowQueryMillis=${slowQueryMillis}`,
  ].filter(Boolean);
  return `${pool} - slow query ${millis(seconds)} (${facts.join(", ")}): ${sql || "no text"}`;
}
