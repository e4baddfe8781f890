import type { Events, SlowQuery } from "../events.ts";
import type { Logger } from "../logger.ts";
import type { Hold } from "../watch/hold.ts";
import type { ConformingStrings } from "./conforming-strings.ts";
import type { FinishedQuery } from "./pool-queries.ts";
import { fingerprintOf, redactSql } from "./redact-sql.ts";
import { SlowGroups, type SlowQueryGroup } from "./slow-groups.ts";

/** One fingerprint has one line in this time; what else came is counted, and told with its next line. */
const QUIET_MILLIS = 60_000;
/** More fingerprints than this at once have no line: the memory stays bounded. The counter counts them. */
const MAX_FINGERPRINTS = 1_000;
const MAX_REDACTED = 500;
/** Longer texts are generated ones: they do not come twice. */
const MAX_REMEMBERED_LENGTH = 2_000;

interface Said {
  at: number;
  swallowed: number;
  worstSeconds: number;
  readonly example: SlowQuery;
}

/** Says in the log and as an event which queries were slow, and remembers the worst. */
export class SlowQueries {
  readonly #logger: Logger;
  readonly #events: Events;
  readonly #slowQueryMillis: number;
  readonly #groups = new SlowGroups();
  /** By pool and fingerprint. */
  readonly #said = new Map<string, Said>();
  /** Texts seen before: an application has few, and redacting one costs microseconds. */
  readonly #redacted = new Map<string, { readonly sql: string; readonly fingerprint: string }>();

  constructor(logger: Logger, events: Events, slowQueryMillis: number) {
    this.#logger = logger;
    this.#events = events;
    this.#slowQueryMillis = slowQueryMillis;
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
    this.#say(query);
    this.#events.emit("slowQuery", query);
  }

  worst(limit: number, pool?: string): SlowQueryGroup[] {
    return this.#groups.worst(limit, pool);
  }

  /** Tells what was swallowed of fingerprints that have been quiet since. Called at times, and at the end. */
  flush(isEnd = false): void {
    for (const [key, said] of this.#said) {
      if (!isEnd && performance.now() - said.at < QUIET_MILLIS) continue;
      this.#said.delete(key);
      if (said.swallowed > 0) {
        const { pool, fingerprint, sql } = said.example;
        this.#logger.warn(
          `${pool} - ${said.swallowed} more slow ${said.swallowed === 1 ? "query" : "queries"} like fingerprint ` +
            `${fingerprint}, the slowest ${millis(said.worstSeconds)}: ${sql}`,
        );
      }
    }
  }

  forget(pool: string): void {
    this.#groups.forget(pool);
  }

  #say(query: SlowQuery): void {
    const key = `${query.pool} ${query.fingerprint}`;
    const before = this.#said.get(key);
    const isOld = before !== undefined && performance.now() - before.at >= QUIET_MILLIS;
    if (isOld || this.#said.size >= MAX_FINGERPRINTS) this.flush();
    const said = this.#said.get(key);
    if (!said && this.#said.size >= MAX_FINGERPRINTS) return;
    if (said) {
      said.swallowed++;
      said.worstSeconds = Math.max(said.worstSeconds, query.seconds);
      return;
    }
    this.#said.set(key, { at: performance.now(), swallowed: 0, worstSeconds: 0, example: query });
    this.#logger.warn(describe(query, this.#slowQueryMillis));
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

function millis(seconds: number): string {
  return `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
}
