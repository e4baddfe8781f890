import type pg from "pg";

const QUERY = { name: "one", text: "SELECT 1" };

export interface Scenario {
  readonly title: string;
  /** One caller, that many queries, one after the other. */
  run(pool: pg.Pool, queries: number): Promise<void>;
}

export type ScenarioName = "poolQuery" | "poolQueryCallback" | "explicit" | "explicitCallback";

export const SCENARIOS: Readonly<Record<ScenarioName, Scenario>> = {
  poolQuery: { title: "pool.query, promise", run: poolQuery },
  poolQueryCallback: { title: "pool.query, callback", run: poolQueryCallback },
  explicit: { title: "connect, query, release; promises", run: explicit },
  explicitCallback: { title: "connect, query, release; callbacks", run: explicitCallback },
};

async function poolQuery(pool: pg.Pool, queries: number): Promise<void> {
  for (let query = 0; query < queries; query++) await pool.query(QUERY);
}

async function explicit(pool: pg.Pool, queries: number): Promise<void> {
  for (let query = 0; query < queries; query++) {
    const client = await pool.connect();
    try {
      await client.query(QUERY);
    } finally {
      client.release();
    }
  }
}

function poolQueryCallback(pool: pg.Pool, queries: number): Promise<void> {
  return repeated(queries, (done) => pool.query(QUERY, (error) => done(error)));
}

function explicitCallback(pool: pg.Pool, queries: number): Promise<void> {
  return repeated(queries, (done) => {
    pool.connect((error, client, release) => {
      if (error || !client) return done(error);
      client.query(QUERY, (failed) => {
        release();
        done(failed);
      });
    });
  });
}

function repeated(times: number, act: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = times;
    const next = (error?: Error | null) => {
      if (error) reject(error);
      else if (left-- === 0) resolve();
      else act(next);
    };
    next();
  });
}
