import { PoolscopeError } from "../errors.ts";
import { type ClientInside, type IdleItem, isBroken, type PoolInside } from "../pg/pool-inside.ts";
import { opensTransaction } from "../pg/query-transaction.ts";
import { CallSite } from "../watch/call-site.ts";
import { hasLayer } from "../watch/override.ts";
import type { ConnectCallback, PgClient } from "../watch/pg-types.ts";
import { countWaiting } from "../watch/pool-state.ts";
import { countFree } from "../watch/recycled-pools.ts";
import { type Executor, reasonOf } from "../watch/settling.ts";
import { pingIdle } from "./ping.ts";
import type { Recycler } from "./recycler.ts";
import { Ticket } from "./ticket.ts";

const MAX_PINGS = 2;

/**
 * Stands where callers come in. Most go on to pg-pool at once, whose answer is seen first; a caller becomes a
 * {@link Ticket} when the connection it would get has to prove well, when the server is away, or when its dial failed.
 */
export function hookCheckouts(recycler: Recycler): () => void {
  const { pool, settings, counts, gate } = recycler;
  const { pingAfterIdleMillis, maxWaiting } = settings;
  let isQuery = false;
  /** Where `pool.query` begins a transaction. */
  let querySite: CallSite | undefined;

  counts.isRefusing = () =>
    recycler.isActive && countWaiting(pool) >= maxWaiting && (countFree(pool) <= 0 || gate.isClosed);

  const unhookConnect = recycler.hook("connect", (original) => {
    recycler.connect = (callback) => original.call(pool, callback);
    return function connect(this: PoolInside, callback?: ConnectCallback): unknown {
      const isOurs = recycler.isActive && !pool.ending && (!callback || typeof callback === "function");
      if (!isOurs) return callback === undefined ? original.call(this) : original.call(this, callback);
      // More wait than there are idle clients, and there is room: pg-pool has lost its turn, a listener has thrown.
      if (pool._pendingQueue.length > pool._idle.length && !pool._isFull()) {
        process.nextTick(() => recycler.serve());
      }
      if (maxWaiting !== Number.POSITIVE_INFINITY && counts.isRefusing()) return refuse(callback);

      const asked = performance.now();
      const next = nextIdle();
      const isOpen = !gate.isClosed && gate.waiting === 0;
      if (!isOpen || (next && !isWell(next.client as ClientInside, asked))) {
        return callback ? admit(Ticket.ofCallback(asked, isQuery, callback)) : promise(asked);
      }
      // pg-pool has one that is well and known: there is no dial that could fail, and nothing to note.
      if (next && !isQuery && recycler.knownSession(next.client)?.isKnown) {
        return callback ? original.call(this, callback) : original.call(this);
      }
      if (callback) return original.call(this, seenFirst(callback, asked, isQuery));
      const Before = replacePromise(asked);
      try {
        return original.call(this);
      } finally {
        pool.Promise = Before;
      }
    };
  });

  // `query` calls `connect` before it returns: that is how its checkouts are told from the application's.
  const unhookQuery = recycler.hook("query", (original) => {
    return function query(this: PoolInside, ...args: unknown[]): unknown {
      const wasQuery = isQuery;
      isQuery = true;
      querySite = opensTransaction(args[0]) && !hasLayer(pool, "query", "watch") ? new CallSite() : undefined;
      try {
        return Reflect.apply(original, this, args);
      } finally {
        isQuery = wasQuery;
      }
    };
  });

  /** The idle client that pg-pool would hand out next. */
  function nextIdle(): IdleItem | undefined {
    return pool._idle[pool._idle.length - 1 - pool._pendingQueue.length];
  }

  function isWell(client: ClientInside, at: number): boolean {
    if (isBroken(client)) return false;
    const session = recycler.knownSession(client);
    return session !== undefined && at - session.aliveAt < pingAfterIdleMillis;
  }

  function seenFirst(callback: ConnectCallback, asked: number, isOfQuery: boolean): ConnectCallback {
    const site = isOfQuery ? querySite : undefined;
    const settled = (error: Error | undefined, client: PgClient | undefined): boolean => {
      if (client) recycler.handedOut(client, isOfQuery, site);
      else if (gate.failed(error, asked)) {
        waitAgain(Ticket.ofCallback(asked, isOfQuery, callback), error);
        return false;
      } else recycler.coded(error);
      return true;
    };
    // Of pg-pool itself; to gather the arguments of any callback would be dearer.
    if (isOfQuery) {
      return function (this: unknown, error, client, release) {
        if (settled(error, client)) callback.call(this, error, client, release);
      };
    }
    return function (this: unknown, ...args) {
      return settled(args[0], args[1]) ? Reflect.apply(callback, this, args) : undefined;
    };
  }

  /**
   * pg-pool makes the promise of `connect()` with `new this.Promise(executor)`. For the length of that one synchronous
   * call the constructor is replaced, so that pg-pool's own promise can wait for another attempt.
   */
  let asking = 0;
  let Real = pool.Promise;
  const Waiting = function WaitingPromise(executor: Executor): Promise<unknown> {
    const asked = asking;
    return new Real((resolve, reject) => {
      executor(
        (client) => {
          recycler.handedOut(client as PgClient, false);
          resolve(client);
        },
        (error) => {
          const reason = reasonOf(error);
          if (gate.failed(reason, asked)) waitAgain(ofPromise(asked, resolve, reject), reason);
          else reject(recycler.coded(error));
        },
      );
    });
  } as unknown as PromiseConstructor;

  function replacePromise(asked: number): PromiseConstructor {
    const Before = pool.Promise;
    if (Before !== Waiting) Real = Before;
    asking = asked;
    pool.Promise = Waiting;
    return Before;
  }

  function waitAgain(ticket: Ticket, error: unknown): void {
    ticket.error = error;
    gate.park(ticket);
  }

  function promise(asked: number): Promise<unknown> {
    return new pool.Promise((resolve, reject) => {
      admit(ofPromise(asked, resolve, reject));
    }).catch((error) => {
      // As pg-pool does, so that the stack leads to the caller.
      Error.captureStackTrace(error);
      throw error;
    });
  }

  function admit(ticket: Ticket): void {
    try {
      if (gate.waiting > 0 || (gate.isClosed && !nextIdle())) gate.park(ticket);
      else prove(ticket);
    } catch (fault) {
      recycler.internalError(fault);
      gate.attempt(ticket);
    }
  }

  /** Has the idle client that pg-pool would hand out answer a ping, if it was idle for a while. */
  function prove(ticket: Ticket): void {
    let next = nextIdle();
    while (next && !pool.ending && isBroken(next.client as ClientInside)) {
      recycler.discard(next.client, "connection_lost", "at once");
      next = nextIdle();
    }
    const isProven = !next || pool.ending || isWell(next.client as ClientInside, performance.now());
    if (next && !isProven && ticket.pings < MAX_PINGS) ping(ticket, next);
    else gate.attempt(ticket, !isProven, ticket.pings > 0);
  }

  function ping(ticket: Ticket, next: IdleItem): void {
    ticket.pings++;
    gate.pinging(ticket);
    // A caller that gives up soon must have time left for another connection.
    const leftMillis = ticket.asked + recycler.patienceMillis - performance.now();
    const limitMillis = Math.max(1, Math.min(settings.pingTimeoutMillis, leftMillis / 2));
    pingIdle(recycler, next, limitMillis, "checkout", (outcome) => {
      if (ticket.isSettled) return;
      // After one timeout there is no time for another: a connection that is opened now is well.
      if (outcome === "done" || outcome === "silent") gate.attempt(ticket, outcome === "silent", true);
      else prove(ticket);
    });
  }

  function refuse(callback: ConnectCallback | undefined): unknown {
    counts.rejected++;
    const { totalCount, waitingCount, options } = pool;
    const error = new PoolscopeError(
      "POOLSCOPE_TOO_MANY_WAITING",
      `${waitingCount} callers wait for a connection already (maxWaiting=${maxWaiting}, ` +
        `${totalCount}/${options.max} connections open)`,
    );
    // Not `reject`: while a watch listens it is a plain function that stands here.
    if (!callback) return new pool.Promise((_, reject) => reject(error));
    process.nextTick(callback, error);
    return undefined;
  }

  return () => {
    unhookQuery();
    unhookConnect();
  };
}

function ofPromise(
  asked: number,
  resolve: (client: unknown) => void,
  reject: (error: unknown) => void,
): Ticket {
  return new Ticket(asked, false, (error, client) => (error ? reject(error) : resolve(client)));
}
