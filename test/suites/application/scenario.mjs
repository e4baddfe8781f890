import { AsyncLocalStorage } from "node:async_hooks";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../../package.json", import.meta.url));
const NOBODY_LISTENS = 1;
const WAIT_TIMEOUT_MILLIS = 1500;
const HOW_IT_IS_CONNECTED =
  "SELECT ssl, host(inet_server_addr()) AS address FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

/** Uses a pool in the ordinary ways, one after the other, and writes down results, errors, events, and what to count. */
export class Scenario {
  account = [];
  counts = {
    ...{ requests: 0, checkouts: 0, connects: 0, closes: 0, waits: 0, waitTimeouts: 0, connectFailures: 0 },
    ...{ queries: 0, queryErrors: {} },
  };
  #pg;
  #options;
  #isNative;
  #request = new AsyncLocalStorage();

  constructor(pg, { pool, isNative = false }) {
    this.#pg = pg;
    this.#isNative = isNative;
    this.#options = { max: 2, connectionTimeoutMillis: WAIT_TIMEOUT_MILLIS, idleTimeoutMillis: 0, ...pool };
    this.pool = new pg.Pool(this.#options);
    const counted = { connect: "connects", acquire: "checkouts", remove: "closes" };
    for (const event of ["connect", "acquire", "release", "remove"]) {
      this.pool.on(event, () => {
        if (counted[event]) this.counts[counted[event]]++;
        const { totalCount, idleCount, waitingCount } = this.pool;
        this.#note(`event ${event} total=${totalCount} idle=${idleCount} waiting=${waitingCount}`);
      });
    }
    this.pool.on("error", (error) => this.#note(`event error ${describe(error)}`));
  }

  async run() {
    await this.#refusedDial();
    await this.#queriesOfThePool();
    await this.#queriesOfAClient();
    await this.#transaction();
    if (!this.#isNative) await this.#cursorAndStream();
    await this.#waiting();
    await this.#waitTimeout();
    if (!this.#isNative) await this.#connectionLostWhileIdle();
  }

  async end() {
    await this.#attempt("end", () => this.pool.end());
    await this.#attempt("connect after the end", () => this.pool.connect());
  }

  async #refusedDial() {
    const { port } = this.pool.options;
    this.pool.options.port = NOBODY_LISTENS;
    await this.#attempt("a dial that is refused", () => {
      this.counts.requests++;
      this.counts.connectFailures++;
      return this.pool.connect();
    });
    this.pool.options.port = port;
  }

  async #queriesOfThePool() {
    const { pool } = this;
    const ask = (name, errorType, query) =>
      this.#attempt(`pool.query, ${name}`, () => this.#ask(errorType, query));
    await ask("promise", undefined, () => rowsOf(pool.query(HOW_IT_IS_CONNECTED)));
    await ask("values", undefined, () => rowsOf(pool.query("SELECT $1::int AS n", [7])));
    await ask("named", undefined, () => rowsOf(pool.query({ name: "named", text: "SELECT 2 AS two" })));
    await ask("callback", undefined, () => called((done) => pool.query("SELECT 3 AS three", done)));
    await ask("failing promise", "22012", () => pool.query("SELECT 1/0"));
    await ask("failing callback", "42P01", () => called((done) => pool.query("SELECT * FROM nowhere", done)));
    // Both are open before: which of them serves a caller is then all that the clock decides.
    for (const client of [await this.#checkOut(), await this.#checkOut()]) client.release();
    await this.#attempt("several at once", () =>
      Promise.all(
        [1, 2, 3, 4, 5].map((n) => {
          if (n > this.#options.max) this.counts.waits++;
          return this.#ask(undefined, () => rowsOf(pool.query(`SELECT ${n} AS n`)));
        }),
      ),
    );
  }

  async #queriesOfAClient() {
    const client = await this.#checkOut();
    const ask = (name, errorType, query) =>
      this.#attempt(`client.query, ${name}`, () => this.#query(errorType, query));
    // The first: a client is ready again a moment after its query failed, and recycling waits for that moment.
    await ask("failing", "23505", () => client.query("INSERT INTO pg_namespace SELECT * FROM pg_namespace"));
    await ask("promise", undefined, () => rowsOf(client.query("SELECT 1 AS one")));
    await ask("callback", undefined, () =>
      called((done) => client.query("SELECT $1::text AS t", ["a"], done)),
    );
    client.release();
    await this.#attempt("a second release", () => client.release());
    await this.#attempt("connect with a callback", () => {
      this.counts.requests++;
      return new Promise((resolve, reject) => {
        this.pool.connect((error, client, done) => {
          if (error) return reject(error);
          this.#query(undefined, () => rowsOf(client.query("SELECT 4 AS four"))).then((rows) => {
            done();
            resolve(rows);
          }, reject);
        });
      });
    });
  }

  async #transaction() {
    const client = await this.#checkOut();
    for (const text of ["BEGIN", "CREATE TABLE of_the_suite ()", "ROLLBACK"]) {
      await this.#attempt(text, () =>
        this.#query(undefined, () => client.query(text).then(({ command }) => command)),
      );
    }
    client.release();
  }

  async #cursorAndStream() {
    const Cursor = require("pg-cursor");
    const QueryStream = require("pg-query-stream");
    const client = await this.#checkOut();
    await this.#attempt("a cursor", () =>
      this.#query(undefined, async () => {
        const cursor = client.query(new Cursor("SELECT * FROM generate_series(1, 5) AS n"));
        const rows = [await cursor.read(2), await cursor.read(2)];
        await cursor.close();
        return rows;
      }),
    );
    await this.#attempt("a stream", () =>
      this.#query(undefined, async () => {
        const rows = [];
        for await (const row of client.query(new QueryStream("SELECT * FROM generate_series(1, 5) AS n")))
          rows.push(row);
        return rows;
      }),
    );
    client.release();
  }

  async #waiting() {
    const held = [await this.#checkOut(), await this.#checkOut()];
    this.counts.requests += 2;
    this.counts.waits += 2;
    const served = [];
    const byCallback = new Promise((resolve) => {
      this.#request.run("first", () =>
        this.pool.connect((error, client) => {
          served.push(`callback in ${this.#request.getStore()}: ${error ?? "a client"}`);
          client.release();
          resolve();
        }),
      );
    });
    const byPromise = this.#request.run("second", async () => {
      const client = await this.pool.connect();
      served.push(`promise in ${this.#request.getStore()}`);
      client.release();
    });
    this.#note(`waiting ${this.pool.waitingCount}`);
    this.#request.run("of whom releases", () => held.pop().release());
    await Promise.all([byCallback, byPromise]);
    held.pop().release();
    this.#note(`served ${served}`);
  }

  async #waitTimeout() {
    const held = [await this.#checkOut(), await this.#checkOut()];
    this.counts.requests++;
    this.counts.waits++;
    this.counts.waitTimeouts++;
    await this.#attempt("a caller that waits too long", () => this.pool.connect());
    for (const client of held) client.release();
  }

  async #connectionLostWhileIdle() {
    const client = await this.#checkOut();
    const { processID } = client;
    client.release();
    const removed = new Promise((resolve) => this.pool.once("remove", resolve));
    const admin = new this.#pg.Client(this.#options);
    await admin.connect();
    await admin.query("SELECT pg_terminate_backend($1)", [processID]);
    await admin.end();
    await removed;
    await this.#attempt("a query after a connection was lost", () =>
      this.#ask(undefined, () => rowsOf(this.pool.query("SELECT 5 AS five"))),
    );
  }

  async #checkOut() {
    this.counts.requests++;
    return this.pool.connect();
  }

  /** `pool.query`: a request for a connection, and a query. */
  #ask(errorType, query) {
    this.counts.requests++;
    return this.#query(errorType, query);
  }

  #query(errorType, query) {
    const { counts } = this;
    counts.queries++;
    if (errorType) counts.queryErrors[errorType] = (counts.queryErrors[errorType] ?? 0) + 1;
    return query();
  }

  async #attempt(name, run) {
    this.#note(`-- ${name}`);
    try {
      this.#note(`result ${JSON.stringify((await run()) ?? null)}`);
    } catch (error) {
      this.#note(`error ${describe(error)}`);
    }
    await this.#settled();
  }

  #note(line) {
    this.account.push(line);
  }

  /** Until the pool has closed what it is closing: newer ones emit `remove` when that is done. */
  async #settled() {
    const { counts, pool } = this;
    while (counts.connects - counts.closes !== pool.totalCount) await new Promise(setImmediate);
  }
}

const rowsOf = async (result) => (await result).rows;

function called(start) {
  return new Promise((resolve, reject) => {
    start((error, result) => (error ? reject(error) : resolve(result.rows)));
  });
}

function describe(error) {
  const { code = "none" } = error;
  const cause = error.cause instanceof Error ? ` (cause: ${error.cause.message})` : "";
  const isOfTheApplication = error.stack?.includes("scenario.mjs") ?? false;
  return `${error.constructor.name} ${code}: ${error.message}${cause}, application in stack: ${isOfTheApplication}`;
}
