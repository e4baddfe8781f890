import { once } from "node:events";
import type { Writable } from "node:stream";
import { text } from "node:stream/consumers";
import type pg from "pg";
import pgCopy from "pg-copy-streams";
import Cursor from "pg-cursor";
import QueryStream from "pg-query-stream";

/** What has to be recorded of one query. */
export interface ExpectedQuery {
  /** The verb; none where there is no certain one. */
  readonly operation?: string;
  /** `error.type` of those that fail. */
  readonly errorType?: string;
  /** Rows that came back; absent where none can. */
  readonly rows?: number;
}

interface Step {
  readonly name: string;
  readonly expected: readonly ExpectedQuery[];
  run(mix: QueryMixOptions): Promise<unknown>;
}

export interface QueryMixOptions {
  readonly pool: pg.Pool;
  /** A pool with `query_timeout: 40`. */
  readonly impatient: pg.Pool;
  /** A pool with `pipeline: true`, where pg has it. */
  readonly pipelined?: pg.Pool | undefined;
  /** pg's own query class. */
  readonly Query: new (
    text: string,
    values?: unknown[],
    callback?: unknown,
  ) => pg.Submittable;
  /** Steps that never end with a monitor that chains itself to promises and streams. */
  readonly skip?: readonly string[];
}

const one: ExpectedQuery = { operation: "SELECT", rows: 1 };
const failed = (errorType: string, operation = "SELECT"): ExpectedQuery => ({ operation, errorType });

type Callback = (error: unknown, result?: unknown) => void;

/** Waits for a callback. */
const called = (start: (done: Callback) => unknown) =>
  new Promise<void>((resolve) => {
    start(() => resolve());
  });

const quiet = (promise: Promise<unknown>) => promise.catch(() => {});

async function withClient(pool: pg.Pool, use: (client: pg.PoolClient) => unknown, isBroken = false) {
  const client = await pool.connect();
  try {
    await use(client);
  } finally {
    client.release(isBroken);
  }
}

/** One query by a client of its own. */
const onClient = (
  name: string,
  expected: ExpectedQuery | readonly ExpectedQuery[],
  use: (client: pg.PoolClient, mix: QueryMixOptions) => unknown,
  isBroken = false,
): Step => ({
  name,
  expected: Array.isArray(expected) ? expected : [expected as ExpectedQuery],
  run: (mix) => withClient(mix.pool, (client) => use(client, mix), isBroken),
});

const onPool = (name: string, expected: ExpectedQuery, use: (pool: pg.Pool) => unknown): Step => ({
  name,
  expected: [expected],
  run: async ({ pool }) => use(pool),
});

const socketOf = (client: object) => (client as { connection: { stream: Writable } }).connection.stream;
const unsendable = {
  toPostgres() {
    throw new RangeError("cannot be sent");
  },
};

const STEPS: readonly Step[] = [
  onPool("pool, promise", one, (pool) => pool.query("SELECT 1")),
  onPool("pool, callback", one, (pool) => called((done) => pool.query("select 1", done))),
  onPool("pool, values", one, (pool) => pool.query("SELECT $1::int", [7])),
  onPool("pool, config", one, (pool) => pool.query({ text: "\n SELECT\t1" })),
  onPool("pool, named", one, (pool) => pool.query({ name: "n", text: "SELECT 1 AS n" })),
  onPool("pool, failing promise", failed("22012"), (pool) => quiet(pool.query("SELECT 1/0"))),
  onPool("pool, failing callback", failed("22012"), (pool) =>
    called((done) => pool.query("SELECT 1/0", done)),
  ),
  onPool("pool, no rows", { operation: "SELECT", rows: 0 }, (pool) => pool.query("SELECT 1 WHERE false")),
  onPool("pool, value that cannot be sent", failed("RangeError"), (pool) =>
    quiet(pool.query("SELECT $1::text", [unsendable])),
  ),
  onClient("promise", one, (client) => client.query("/* a comment */ SELECT 1")),
  onClient("promise, values", one, (client) => client.query("SELECT $1::int", [1])),
  onClient("callback", one, (client) => called((done) => client.query("SELECT 1", done))),
  onClient("values, callback", one, (client) => called((done) => client.query("SELECT $1::int", [1], done))),
  onClient("config", one, (client) => client.query({ text: "SELECT $1::int", values: [1] })),
  onClient("config, values", one, (client) => client.query({ text: "SELECT $1::int" }, [1])),
  onClient("config, callback", one, (client) => called((done) => client.query({ text: "SELECT 1" }, done))),
  onClient("config that holds the callback", one, (client) =>
    called((done) => client.query({ text: "SELECT 1", callback: done } as never)),
  ),
  onClient("frozen config that holds the callback", one, (client) =>
    called((done) => client.query(Object.freeze({ text: "SELECT 1", callback: done }) as never)),
  ),
  onClient("named, twice", [one, one], async (client) => {
    await client.query({ name: "two", text: "SELECT 2" });
    await client.query({ name: "two", text: "SELECT 2" });
  }),
  onClient("rows as arrays", { operation: "SELECT", rows: 3 }, (client) =>
    client.query({ text: "SELECT * FROM generate_series(1, 3)", rowMode: "array" }),
  ),
  onClient("several statements", { operation: "SELECT", rows: 3 }, (client) =>
    client.query("SELECT 1; SELECT * FROM generate_series(1, 2)"),
  ),
  onClient("several statements, one failing", failed("22012"), (client) =>
    quiet(client.query("SELECT 1; SELECT 1/0")),
  ),
  onClient(
    "a transaction",
    [{ operation: "BEGIN" }, { operation: "INSERT" }, { operation: "ROLLBACK" }],
    async (client) => {
      await client.query("BEGIN");
      await client.query("INSERT INTO query_mix VALUES ($1)", [-1]);
      await client.query("ROLLBACK");
    },
  ),
  onClient("returning", { operation: "INSERT", rows: 2 }, (client) =>
    client.query("INSERT INTO query_mix_copied VALUES (-1), (-2) RETURNING id"),
  ),
  onClient("with", { operation: "DELETE" }, (client) =>
    client.query(
      "WITH gone AS (SELECT -1 AS id) DELETE FROM query_mix USING gone WHERE query_mix.id = gone.id",
    ),
  ),
  onClient("empty text", {}, (client) => client.query("")),
  onClient("no SQL", { errorType: "42601" }, (client) => quiet(client.query("SELEC 1"))),
  onClient("duplicate key", failed("23505", "INSERT"), (client) =>
    quiet(client.query("INSERT INTO query_mix VALUES (1), (1)")),
  ),
  onClient("failing callback", failed("42P01"), (client) =>
    called((done) => client.query("SELECT * FROM nowhere", done)),
  ),
  onClient(
    "statement timeout",
    [{ operation: "SET" }, failed("57014"), { operation: "RESET" }],
    async (client) => {
      await client.query("SET statement_timeout = 10");
      await quiet(client.query("SELECT pg_sleep(5)"));
      await client.query("RESET statement_timeout");
    },
  ),
  onClient("nothing as query", { errorType: "TypeError" }, (client) => {
    try {
      client.query(null as never);
    } catch {
      // As it has to be.
    }
  }),
  onClient(
    "value that cannot be sent, callback",
    failed("RangeError"),
    (client) => called((done) => client.query("SELECT $1::text", [unsendable], done)),
    true, // Old versions of pg leave the client waiting for ever.
  ),
  onClient("pg's Query, callback", one, (client, { Query }) =>
    called((done) => client.query(new Query("SELECT 1", [], done))),
  ),
  onClient("pg's Query, events", { operation: "SELECT", rows: 5 }, (client, { Query }) => {
    const query = client.query(
      new Query("SELECT * FROM generate_series(1, 5)"),
    ) as never as NodeJS.EventEmitter;
    query.on("row", () => {});
    return once(query, "end");
  }),
  onClient("pg's Query, failing", failed("22012"), (client, { Query }) =>
    called((done) => client.query(new Query("SELECT 1/0", [], done))),
  ),
  onClient("cursor, read to its end", { operation: "SELECT", rows: 5 }, async (client) => {
    const cursor = client.query(new Cursor("SELECT * FROM generate_series(1, 5)"));
    while ((await cursor.read(2)).length > 0);
    await cursor.close();
  }),
  onClient("cursor, closed early", { operation: "SELECT", rows: 2 }, async (client) => {
    const cursor = client.query(new Cursor("SELECT * FROM generate_series(1, 100)"));
    await cursor.read(2);
    await cursor.close();
  }),
  onClient("cursor, failing", [failed("22012"), {}], async (client) => {
    const cursor = client.query(new Cursor("SELECT 1/0"));
    await quiet(cursor.read(1));
    await client.query("");
  }),
  onClient("stream, read to its end", { operation: "SELECT", rows: 250 }, async (client) => {
    const stream = client.query(new QueryStream("SELECT * FROM generate_series(1, 250)"));
    for await (const _row of stream);
  }),
  onClient("stream, destroyed", { operation: "SELECT", rows: 200 }, async (client) => {
    const stream = client.query(new QueryStream("SELECT * FROM generate_series(1, 10000)"));
    // With the first row taken it has asked for the second hundred.
    for await (const _row of stream) break;
  }),
  onClient("stream, failing", [failed("22012"), {}], async (client) => {
    const stream = client.query(new QueryStream("SELECT 1/0"));
    stream.resume();
    await quiet(once(stream, "end"));
    await client.query("");
  }),
  onClient("copy to", { operation: "COPY" }, async (client) => {
    await text(client.query(pgCopy.to("COPY (SELECT * FROM generate_series(1, 50)) TO STDOUT")));
  }),
  onClient("copy from", { operation: "COPY" }, async (client) => {
    const stream = client.query(pgCopy.from("COPY query_mix_copied FROM STDIN"));
    stream.end("1\n2\n3\n");
    await once(stream, "finish");
  }),
  onClient("copy from, destroyed", failed("57014", "COPY"), async (client) => {
    const stream = client.query(pgCopy.from("COPY query_mix_copied FROM STDIN"));
    stream.write("1\n");
    stream.on("error", () => {});
    stream.destroy();
    await quiet(once(stream, "close"));
  }),
  onClient("copy from, failing", failed("22P02", "COPY"), async (client) => {
    const stream = client.query(pgCopy.from("COPY query_mix_copied FROM STDIN"));
    stream.end("no number\n");
    await quiet(once(stream, "finish"));
  }),
  onClient(
    "connection lost",
    [failed("connection_lost"), failed("connection_lost")],
    async (client) => {
      client.on("error", () => {});
      const running = quiet(client.query("SELECT pg_sleep(10)"));
      socketOf(client).destroy();
      await running;
      await quiet(client.query("SELECT 1"));
    },
    true,
  ),
  onClient(
    "stream, connection lost",
    failed("connection_lost"),
    async (client) => {
      client.on("error", () => {});
      const stream = client.query(new QueryStream("SELECT pg_sleep(10)"));
      stream.on("error", () => {});
      stream.resume();
      const ended = new Promise((resolve) => client.once("end", () => resolve(undefined)));
      socketOf(client).destroy();
      await ended;
    },
    true,
  ),
  onClient(
    "backend terminated",
    failed("57P01"),
    async (client, { pool }) => {
      client.on("error", () => {});
      const { processID } = client as unknown as { processID: number };
      const running = quiet(client.query("SELECT pg_sleep(10)"));
      await pool.query("SELECT pg_terminate_backend($1)", [processID]);
      await running;
    },
    true,
  ),
  {
    name: "query timeout",
    expected: [failed("query_timeout"), failed("query_timeout")],
    run: async ({ impatient }) => {
      await withClient(impatient, (client) => quiet(client.query("SELECT pg_sleep(10)")), true);
      await withClient(
        impatient,
        (client) => called((done) => client.query("SELECT pg_sleep(10)", done)),
        true,
      );
    },
  },
  {
    name: "pipeline",
    expected: [one, one, failed("22012"), one, one],
    run: async ({ pipelined }) => {
      if (!pipelined) return;
      await withClient(pipelined, (client) =>
        Promise.all(["1", "2", "1/0", "4", "5"].map((n) => quiet(client.query(`SELECT ${n}`)))),
      );
    },
  },
];

// "backend terminated" asks another connection to do it.
const EXTRA: Readonly<Record<string, ExpectedQuery>> = { "backend terminated": one };

/** Steps that take long or cost a connection come this often; the others share what is missing to a thousand. */
const RARE = 4;
const RARE_STEPS = [
  "statement timeout",
  "connection lost",
  "stream, connection lost",
  "backend terminated",
  "query timeout",
];
export const MIX_SIZE = 1_000;

/**
 * A thousand queries in every shape pg has, with failures of every kind, on three pools of any pg.
 *
 * @returns What was done, a query an element: the truth to hold numbers against
 */
export async function runQueryMix(mix: QueryMixOptions): Promise<ExpectedQuery[]> {
  const done: ExpectedQuery[] = [];
  const steps = STEPS.filter(
    ({ name }) => !mix.skip?.includes(name) && (name !== "pipeline" || mix.pipelined !== undefined),
  );
  const run = async (step: Step) => {
    await step.run(mix);
    done.push(...step.expected);
    const extra = EXTRA[step.name];
    if (extra) done.push(extra);
  };
  for (const step of steps.filter(({ name }) => RARE_STEPS.includes(name))) {
    for (let time = 0; time < RARE; time++) await run(step);
  }
  const common = steps.filter(({ name }) => !RARE_STEPS.includes(name));
  for (let turn = 0; done.length < MIX_SIZE; turn++) {
    const step = common[turn % common.length] as Step;
    // The last ones are single queries, so that it ends at exactly a thousand.
    await run(done.length + step.expected.length <= MIX_SIZE ? step : (common[0] as Step));
  }
  return done;
}

/** By verb and `error.type`. */
export function tally(queries: readonly ExpectedQuery[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { operation = "none", errorType = "ok" } of queries) {
    const key = `${operation} ${errorType}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

/** The tables the mix works on. Not part of it. */
export async function prepareQueryMix(client: { query(text: string): Promise<unknown> }): Promise<void> {
  await client.query(`
    CREATE TABLE IF NOT EXISTS query_mix (id int PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS query_mix_copied (id int);
    TRUNCATE query_mix, query_mix_copied`);
}
