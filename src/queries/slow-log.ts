import type { SlowQuery } from "../events.ts";
import type { Logger } from "../logger.ts";

/** One statement has one line in this time; what else came of it is counted, and logged with its next line. */
const QUIET_MILLIS = 60_000;
/** So many statements have a line at once in a minute. */
const MAX_LINES = 100;
/** Those beyond have a line one by one, as long as there are any. */
const NEXT_LINE_MILLIS = 500;
/** Statements that have a line to come. Beyond it one of the oldest has none. */
const MAX_PENDING = 1_000;
const OLDEST = 8;
/** More than have a line in a minute: those of before are let go of. */
const MAX_LOGGED = 1_000;
/** Statements without a line that are told apart in a summary: 16 digits each. */
const MAX_COUNTED = 10_000;

interface Logged {
  readonly at: number;
  readonly example: SlowQuery;
  swallowed: number;
  worstSeconds: number;
}

interface Pending {
  example: SlowQuery;
  count: number;
  totalSeconds: number;
}

/** What had no line of its own, since the first that had none at once. */
interface Flood {
  readonly since: number;
  readonly statements: Set<string>;
  queries: number;
  worst: SlowQuery | undefined;
}

/**
 * The lines of slow queries: one a minute for each statement. Statements that differ in more than their literals (of query
 * builders, in what a client sorts by) may come by the thousand. Then a hundred a minute have a line at once, and after them
 * one every half second: by turns the newest and the one that took the most time, so that what begins during a flood, and
 * what goes on through it, is seen. What had no line is summed up once a minute.
 */
export class SlowLog {
  readonly #logger: Logger;
  readonly #describe: (query: SlowQuery) => string;
  /** By pool and fingerprint, as what follows; oldest first. */
  readonly #logged = new Map<string, Logged>();
  readonly #pending = new Map<string, Pending>();
  #flood: Flood | undefined;
  #lines = { since: Number.NEGATIVE_INFINITY, count: 0 };
  #isNewestNext = true;
  #timer: NodeJS.Timeout | undefined;

  constructor(logger: Logger, describe: (query: SlowQuery) => string) {
    this.#logger = logger;
    this.#describe = describe;
  }

  add(query: SlowQuery): void {
    const key = `${query.pool} ${query.fingerprint}`;
    const now = performance.now();
    const before = this.#logged.get(key);
    if (before && now - before.at >= QUIET_MILLIS) this.flush();
    const logged = this.#logged.get(key);
    if (logged) {
      logged.swallowed++;
      logged.worstSeconds = Math.max(logged.worstSeconds, query.seconds);
      return;
    }
    if (now - this.#lines.since >= QUIET_MILLIS) this.#lines = { since: now, count: 0 };
    if (this.#pending.size === 0 && this.#lines.count < MAX_LINES) {
      this.#lines.count++;
      this.#write(key, query);
    } else this.#wait(key, query);
  }

  /** Logs what was swallowed of statements that have been quiet since. Called at times, and at the end. */
  flush(isEnd = false): void {
    const now = performance.now();
    for (const [key, { at, swallowed, worstSeconds, example }] of this.#logged) {
      if (!isEnd && now - at < QUIET_MILLIS) continue;
      this.#logged.delete(key);
      if (swallowed > 0) {
        const { pool, fingerprint, sql } = example;
        this.#logger.warn(
          `${pool} - ${swallowed} more slow ${queries(swallowed)} like fingerprint ` +
            `${fingerprint}, the slowest ${millis(worstSeconds)}: ${sql}`,
        );
      }
    }
    if (this.#flood && (isEnd || now - this.#flood.since >= QUIET_MILLIS)) this.#sumUp(this.#flood);
  }

  #write(key: string, query: SlowQuery): void {
    if (this.#logged.size >= MAX_LOGGED) this.flush();
    this.#logged.set(key, { at: performance.now(), example: query, swallowed: 0, worstSeconds: 0 });
    this.#logger.warn(this.#describe(query));
  }

  #wait(key: string, query: SlowQuery): void {
    this.#flood ??= { since: performance.now(), statements: new Set(), queries: 0, worst: undefined };
    const pending = this.#pending.get(key);
    if (pending) {
      pending.count++;
      pending.totalSeconds += query.seconds;
      if (query.seconds > pending.example.seconds) pending.example = query;
    } else {
      this.#pending.set(key, { example: query, count: 1, totalSeconds: query.seconds });
      if (this.#pending.size > MAX_PENDING) this.#leaveOutOne(this.#flood);
    }
    this.#timer ??= setTimeout(this.#next, NEXT_LINE_MILLIS).unref();
  }

  readonly #next = (): void => {
    this.#timer = undefined;
    const chosen = this.#isNewestNext ? [...this.#pending].at(-1) : this.#dearest();
    this.#isNewestNext = !this.#isNewestNext;
    if (chosen) {
      const [key, { example, count }] = chosen;
      this.#pending.delete(key);
      this.#write(key, example);
      const logged = this.#logged.get(key);
      if (logged && count > 1) {
        logged.swallowed = count - 1;
        logged.worstSeconds = example.seconds;
      }
    }
    this.flush();
    if (this.#flood) this.#timer = setTimeout(this.#next, NEXT_LINE_MILLIS).unref();
  };

  #dearest(): [string, Pending] | undefined {
    let dearest: [string, Pending] | undefined;
    for (const entry of this.#pending) {
      if (!dearest || entry[1].totalSeconds > dearest[1].totalSeconds) dearest = entry;
    }
    return dearest;
  }

  /** Of the few oldest the one that took the least time. */
  #leaveOutOne(flood: Flood): void {
    let least: [string, Pending] | undefined;
    let looked = 0;
    for (const entry of this.#pending) {
      if (!least || entry[1].totalSeconds < least[1].totalSeconds) least = entry;
      if (++looked >= OLDEST) break;
    }
    if (least) this.#leaveOut(flood, ...least);
  }

  #leaveOut(flood: Flood, key: string, { example, count }: Pending): void {
    this.#pending.delete(key);
    flood.queries += count;
    if (flood.statements.size < MAX_COUNTED) flood.statements.add(key);
    if (!flood.worst || example.seconds > flood.worst.seconds) flood.worst = example;
  }

  #sumUp(flood: Flood): void {
    for (const entry of this.#pending) this.#leaveOut(flood, ...entry);
    this.#flood = undefined;
    if (!flood.worst) return;
    const { pool, seconds, fingerprint, sql } = flood.worst;
    const most = flood.statements.size < MAX_COUNTED ? "" : "more than ";
    const many = flood.statements.size;
    this.#logger.warn(
      `poolscope - slow queries not logged: ${flood.queries} ${queries(flood.queries)} of ${most}${many} ` +
        `${many === 1 ? "statement" : "statements"} in ${Math.round((performance.now() - flood.since) / 1000)} s, ` +
        `the slowest ${millis(seconds)} (pool=${pool}, fingerprint=${fingerprint}): ${sql || "no text"}; ` +
        "scope.slowQueries() has the worst",
    );
  }
}

function queries(count: number): string {
  return count === 1 ? "query" : "queries";
}

export function millis(seconds: number): string {
  return `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
}
