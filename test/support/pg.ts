import { createRequire } from "node:module";
import current from "pg";

const require = createRequire(import.meta.url);

/** The pg the tests run on: the installed one, or the oldest that is supported. */
export const isOldestPg: boolean = process.env["PG_LINE"] === "oldest";

function oldestPool(): typeof current.Pool {
  const Pool = require("pg-pool-3.6");
  const { Client } = require("pg-8.11");
  return class BoundPool extends Pool {
    constructor(options: object) {
      super(options, Client);
    }
  } as unknown as typeof current.Pool;
}

export const PgPool: typeof current.Pool = isOldestPg ? oldestPool() : current.Pool;
