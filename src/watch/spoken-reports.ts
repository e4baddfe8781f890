import type { Events, HeldConnection, NestedCheckout } from "../events.ts";
import type { Logger } from "../logger.ts";
import { leftOpen } from "../pg/query-transaction.ts";
import type { FinishedQuery } from "../queries/pool-queries.ts";
import type { SlowQueries } from "../queries/slow-queries.ts";
import type { CallSite } from "./call-site.ts";
import type { Connection } from "./connection.ts";
import type { Hold } from "./hold.ts";
import type { PoolReports } from "./watch-tools.ts";
import type { WatchedPool } from "./watched-pool.ts";

/** One place in the code is complained of once in this time; the counters count every case. */
const QUIET_MILLIS = 60_000;
/** No more places than this are remembered; of the one reported longest ago it is forgotten that it was. */
const MAX_PLACES = 1_000;

/** What comes of a connection released inside a transaction. */
const OUTCOMES = {
  ignore: "its next holder finds it open",
  rollback: "it is rolled back",
  destroy: "it is closed",
};

/** Says in the log and as an event what should not wait for somebody to look. */
export class SpokenReports implements PoolReports {
  readonly #logger: Logger;
  readonly #events: Events;
  readonly #slowQueries: SlowQueries;
  /** When a place was reported last, the one longest ago first. */
  readonly #said = new Map<string, number>();

  constructor(logger: Logger, events: Events, slowQueries: SlowQueries) {
    this.#logger = logger;
    this.#events = events;
    this.#slowQueries = slowQueries;
  }

  leak(pool: WatchedPool, connection: Connection, hold: Hold): void {
    const held = describe(pool, connection, hold);
    this.#logger.warn(
      `${pool.name} - suspected leak: a connection${checkedOut(held.site)} has been held for ${seconds(held)} ` +
        `(${connection.activity.replaceAll("_", " ")}${last(held)}); release it in a finally block${held.site === undefined ? UNPLACED : trace(held.stack)}`,
    );
    this.#events.emit("leak", held);
  }

  leakReturned(pool: WatchedPool, connection: Connection, hold: Hold): void {
    const held = describe(pool, connection, hold);
    this.#logger.info(
      `${pool.name} - the suspected leak, a connection${checkedOut(held.site)}, was returned after ${seconds(held)}`,
    );
    this.#events.emit("leakReturned", held);
  }

  releasedInTransaction(pool: WatchedPool, connection: Connection, hold: Hold): void {
    const held = describe(pool, connection, hold);
    if (!hold.isExplicit) {
      if (this.#isNews(`transaction of pool.query ${pool.name} ${held.site}`)) {
        this.#logger.warn(`${pool.name} - ${leftOpen(held.site)}`);
      }
    } else if (this.#isNews(`transaction ${pool.name} ${held.site}`)) {
      this.#logger.warn(
        `${pool.name} - a connection${checkedOut(held.site)} was released inside a transaction${last(held, " (", ")")}; ` +
          `${OUTCOMES[pool.recycling.settings?.transactionAtRelease ?? "ignore"]}: COMMIT or ROLLBACK before the release`,
      );
    }
    this.#events.emit("releasedInTransaction", held);
  }

  nestedCheckout(pool: WatchedPool, outer: Hold, inner: CallSite | undefined): void {
    const outerSite = outer.site?.location;
    const innerSite = inner?.location;
    if (!this.#isNews(`nested ${pool.name} ${outerSite} ${innerSite}`, Number.POSITIVE_INFINITY)) return;
    const nested: NestedCheckout = {
      pool: pool.name,
      ...(outerSite && { outerSite }),
      outerStack: outer.site?.frames ?? [],
      ...(innerSite && { innerSite }),
      innerStack: inner?.frames ?? [],
    };
    this.#logger.warn(
      `${pool.name} - nested checkout: a caller that holds a connection${checkedOut(outerSite)} asks for another` +
        `${innerSite ? ` at ${innerSite}` : " by pool.query"}; enough of these at once wait for each other for ever: ` +
        `pass the connection on${trace(nested.outerStack)}${trace(nested.innerStack, "asks again")}`,
    );
    this.#events.emit("nestedCheckout", nested);
  }

  slowQuery(pool: WatchedPool, query: FinishedQuery, hold: Hold | undefined): void {
    this.#slowQueries.slow(pool.name, query, hold);
  }

  faulted(pool: WatchedPool, fault: unknown): void {
    const reason = fault instanceof Error ? fault.message : String(fault);
    if (!this.#isNews(`fault ${pool.name}`)) return;
    this.#logger.error(
      `${pool.name} - poolscope failed to follow the pool, its numbers may be off: ${reason}`,
    );
  }

  #isNews(place: string, quietMillis: number = QUIET_MILLIS): boolean {
    const at = performance.now();
    const before = this.#said.get(place);
    if (before !== undefined && at - before < quietMillis) return false;
    // To the end.
    this.#said.delete(place);
    this.#said.set(place, at);
    const [oldest] = this.#said.keys();
    if (oldest !== undefined && this.#said.size > MAX_PLACES) this.#said.delete(oldest);
    return true;
  }
}

function describe(pool: WatchedPool, connection: Connection, hold: Hold): HeldConnection {
  const site = hold.site?.location;
  const lastVerb = connection.lastVerb(hold);
  const { processId } = connection;
  return {
    pool: pool.name,
    heldSeconds: (performance.now() - hold.since) / 1000,
    ...(site && { site }),
    stack: hold.site?.frames ?? [],
    ...(lastVerb && { lastVerb }),
    ...(processId && { processId }),
  };
}

function seconds({ heldSeconds }: HeldConnection): string {
  return `${heldSeconds.toFixed(1)} s`;
}

/** See `SiteBudget`. */
const UNPLACED = "; its place was not noted, that of the next one will be";

function checkedOut(site: string | undefined): string {
  return site ? ` checked out at ${site}` : "";
}

function last({ lastVerb, processId }: HeldConnection, before = ", ", after = ""): string {
  const parts = [lastVerb && `last statement ${lastVerb}`, processId && `process id ${processId}`].filter(
    Boolean,
  );
  return parts.length > 0 ? `${before}${parts.join(", ")}${after}` : "";
}

function trace(stack: readonly string[], heading = ""): string {
  if (stack.length === 0) return "";
  return `${heading && `\n  ${heading}`}${stack.map((frame) => `\n    ${frame}`).join("")}`;
}
