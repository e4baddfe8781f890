import type { HeldConnection as EventData, Events, NestedCheckout } from "../events.ts";
import type { Logger } from "../logger.ts";
import { leftOpen } from "../pg/query-transaction.ts";
import type { FinishedQuery } from "../queries/pool-queries.ts";
import type { SlowQueries } from "../queries/slow-queries.ts";
import type { CallSite } from "./call-site.ts";
import type { Activity, Connection } from "./connection.ts";
import type { HeldConnection } from "./connections.ts";
import type { Hold } from "./hold.ts";
import type { LongHoldReports } from "./leak-detector.ts";
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

/** Why a server ends sessions. */
const REASONS: Readonly<Record<string, string>> = {
  "25P03": "idle_in_transaction_session_timeout",
  "25P04": "transaction_timeout",
  "57P01": "terminated",
  "57P02": "the server crashed",
  "57P05": "idle_session_timeout",
};

/** Says in the log and as an event what should not wait for somebody to look. */
export class SpokenReports implements PoolReports, LongHoldReports {
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

  /** One line for all of one place. */
  leaks(pool: WatchedPool, connections: readonly HeldConnection[]): void {
    const [first] = connections;
    if (!first) return;
    const all = connections.map((held) => describe(pool, held, held.hold));
    const held = all.reduce((one, other) => (other.heldSeconds < one.heldSeconds ? other : one));
    const many = connections.length > 1;
    const what = many ? `${connections.length} connections` : "a connection";
    const whence = origin(first.hold, held.site);
    const long = `${many ? "have" : "has"} been held for ${seconds(held)}${many ? " or more" : ""}`;
    const doing = `${words(first.activity)}${many ? verb(held) : last(held)}`;
    this.#logger.warn(
      `${pool.name} - suspected leak: ${what}${whence} ${long} (${doing}); ${remedy(first.hold, many)}${trace(held.stack)}`,
    );
    for (const leak of all) this.#events.emit("leak", leak);
  }

  leakCleared(pool: WatchedPool, connection: HeldConnection): void {
    const held = describe(pool, connection, connection.hold);
    const kept = pool.keptAs(connection);
    const why = kept === undefined ? "is in use again" : `is kept (${kept})`;
    this.#logger.info(
      `${pool.name} - no leak: the suspected one, a connection${checkedOut(held.site)}, ${why} after ${seconds(held)}`,
    );
  }

  longRunning(pool: WatchedPool, connection: HeldConnection): void {
    const held = describe(pool, connection, connection.hold);
    if (!this.#isNews(`long ${pool.name} ${held.site}`)) return;
    this.#logger.info(
      `${pool.name} - long running: a connection${origin(connection.hold, held.site)} has been held for ` +
        `${seconds(held)} and is at work (${words(connection.activity)}${last(held)})`,
    );
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

  lostWhileHeld(pool: WatchedPool, connection: Connection, hold: Hold): void {
    const held = describe(pool, connection, hold);
    if (!this.#isNews(`lost ${pool.name} ${held.site}`)) return;
    const code = connection.endedBy ?? "";
    const why = REASONS[code] ? `${code}, ${REASONS[code]}` : code;
    this.#logger.warn(
      `${pool.name} - connection lost: the server ended the session of a connection${origin(hold, held.site)} ` +
        `while it was held (${why}${last(held)})`,
    );
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

function describe(pool: WatchedPool, connection: Connection, hold: Hold): EventData {
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

function seconds({ heldSeconds }: EventData): string {
  return `${heldSeconds.toFixed(1)} s`;
}

function words(activity: Activity): string {
  return activity.replaceAll("_", " ");
}

function verb({ lastVerb }: EventData): string {
  return lastVerb ? `, last statement ${lastVerb}` : "";
}

/** Where a hold comes from, as far as that is known. Of many checkouts a second some are without a place, see `SiteBudget`. */
function origin({ isExact, isExplicit }: Hold, site: string | undefined): string {
  if (site) return checkedOut(site);
  if (!isExact) return " of before the watch";
  return isExplicit ? " checked out at a place that was not recorded" : " of pool.query";
}

function remedy({ isExact, isExplicit }: Hold, many: boolean): string {
  if (isExplicit || !isExact) return `release ${many ? "them" : "it"} in a finally block`;
  return "pool.query releases no connection of a cursor, or of a stream left open: query with a client of pool.connect, and release that";
}

function checkedOut(site: string | undefined): string {
  return site ? ` checked out at ${site}` : "";
}

function last({ lastVerb, processId }: EventData, before = ", ", after = ""): string {
  const parts = [lastVerb && `last statement ${lastVerb}`, processId && `process id ${processId}`].filter(
    Boolean,
  );
  return parts.length > 0 ? `${before}${parts.join(", ")}${after}` : "";
}

function trace(stack: readonly string[], heading = ""): string {
  if (stack.length === 0) return "";
  return `${heading && `\n  ${heading}`}${stack.map((frame) => `\n    ${frame}`).join("")}`;
}
