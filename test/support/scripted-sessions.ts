import type pg from "pg";
import { makePool } from "./pools.ts";
import { until } from "./until.ts";

/** One thing that an application, or somebody beside it, does. */
export type Step =
  | { readonly query: string; readonly values?: readonly unknown[]; readonly name?: string }
  | { readonly beside: string }
  | { readonly checkout: readonly string[]; readonly parsesNumbers?: boolean; readonly isBroken?: boolean }
  | { readonly hold: "take" | "give back" }
  | { readonly held: string }
  /** Through `pool.query`, which leaves a transaction idle until the server ends its session. */
  | { readonly idlesAfter: string };

/** What became of one statement. */
export interface Outcome {
  readonly statement: string;
  readonly rows?: string;
  readonly error?: string;
}

const TABLES = `
  DROP SCHEMA IF EXISTS other CASCADE;
  DROP SCHEMA public CASCADE;
  CREATE SCHEMA public;
  CREATE SCHEMA other;
  CREATE TABLE goods (id int PRIMARY KEY, n int NOT NULL);
  INSERT INTO goods VALUES (1, 10), (2, 20);
  CREATE TABLE offers (good int REFERENCES goods DEFERRABLE INITIALLY DEFERRED);
  CREATE TABLE other.goods (id int PRIMARY KEY, n int);
  INSERT INTO other.goods VALUES (1, 111);
  CREATE TABLE other.only_there (id int);
  CREATE SEQUENCE ids;
  CREATE FUNCTION be_tenant(text) RETURNS void LANGUAGE plpgsql AS
    $$ BEGIN PERFORM set_config('app.tenant', $1, false); END $$;
  GRANT USAGE ON SCHEMA public TO PUBLIC;
  ALTER DATABASE this_database RESET ALL;
  ALTER DATABASE this_database SET lock_timeout = '100ms';
`;

const SESSIONS = `
  SELECT count(*)::int AS sessions FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
`;

const SESSION = "SELECT FROM pg_stat_activity WHERE pid = $1";

/** A pool, a session beside it, and a database for them alone: always one statement after the other. */
export class ScriptedSessions {
  readonly outcomes: Outcome[] = [];
  connects = 0;
  readonly #pool: pg.Pool;
  readonly #beside: pg.Client;
  readonly #held: pg.PoolClient[] = [];
  readonly #ended = new WeakSet<pg.PoolClient>();

  private constructor(pool: pg.Pool, beside: pg.Client) {
    this.#pool = pool;
    this.#beside = beside;
    pool.on("connect", () => this.connects++);
  }

  /** @param beside A session in a database of its own, whose tables are made anew. */
  static async open(
    beside: pg.Client,
    options: pg.PoolConfig,
    prepare: (pool: pg.Pool) => void,
  ): Promise<ScriptedSessions> {
    const { database } = beside;
    await beside.query("SET lock_timeout = '100ms'; SELECT pg_advisory_unlock_all()");
    await beside.query(TABLES.replaceAll("this_database", String(database)));
    const pool = makePool({ database, idleTimeoutMillis: 0, ...options });
    prepare(pool);
    return new ScriptedSessions(pool, beside);
  }

  get failures(): number {
    return this.outcomes.filter(({ error }) => error !== undefined).length;
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      await this.#do(step);
      await this.#settle();
    }
  }

  /** Gives back what is held, and waits until the server has closed every session. */
  async end(): Promise<void> {
    while (this.#held.length > 0) this.#held.pop()?.release(true);
    await this.#pool.end();
    await this.#settle();
  }

  async #do(step: Step): Promise<void> {
    if ("query" in step) {
      const { query: text, values, name } = step;
      const config = {
        text: this.#named(text),
        ...(values && { values: [...values] }),
        ...(name && { name }),
      };
      await this.#note(text, () => this.#pool.query(config));
    } else if ("beside" in step) {
      await this.#note(`beside: ${step.beside}`, () => this.#beside.query(this.#named(step.beside)));
    } else if ("checkout" in step) {
      const client = await this.#take();
      if (step.parsesNumbers) client.setTypeParser(23, (text) => Number(text) * 1_000);
      for (const text of step.checkout) await this.#note(text, () => client.query(text));
      client.release(step.isBroken);
    } else if ("held" in step) {
      const client = this.#held.at(-1);
      if (client) await this.#note(step.held, () => client.query(step.held));
    } else if ("idlesAfter" in step) {
      await this.#note(step.idlesAfter, async () => {
        const results: unknown = await this.#pool.query(`${step.idlesAfter}; SELECT pg_backend_pid() AS pid`);
        const pid = (results as pg.QueryResult[]).pop()?.rows[0]?.pid;
        await until(async () => (await this.#beside.query(SESSION, [pid])).rowCount === 0);
        return results;
      });
    } else if (step.hold === "take") {
      // One is left for those who do not hold.
      if (this.#held.length + 1 < this.#pool.options.max) this.#held.push(await this.#take());
    } else {
      this.#held.shift()?.release();
    }
  }

  #named(text: string): string {
    return text.replace("this_database", String(this.#beside.database));
  }

  async #take(): Promise<pg.PoolClient> {
    const client = await this.#pool.connect();
    if (client.listenerCount("error") === 0) client.on("error", () => {});
    if (!this.#ended.has(client)) client.once("end", () => this.#ended.add(client));
    return client;
  }

  async #note(statement: string, ask: () => Promise<unknown>): Promise<void> {
    try {
      const results = await ask();
      const rows = [results].flat().map((result) => (result as pg.QueryResult).rows);
      this.outcomes.push({ statement, rows: JSON.stringify(rows) });
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      this.outcomes.push({ statement, error: code ?? message });
    }
  }

  /** Until the pool does nothing by itself any more, and the server has no session that the pool has closed. */
  async #settle(): Promise<void> {
    for (let look = 0; look < 5_000; look++) {
      const sessions = await this.#sessions();
      const { totalCount, idleCount } = this.#pool;
      const alive = totalCount - this.#held.filter((client) => this.#ended.has(client)).length;
      if (totalCount === idleCount + this.#held.length && sessions === alive) return;
    }
    throw new Error(`not settled: ${this.#pool.totalCount} open, ${this.#pool.idleCount} idle`);
  }

  async #sessions(): Promise<number> {
    const { rows } = await this.#beside.query<{ sessions: number }>(SESSIONS);
    return rows[0]?.sessions ?? 0;
  }
}
