import { createRequire } from "node:module";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { type Account, type Mode, numbersOf, runApplication } from "../support/run-application.ts";

const require = createRequire(new URL("../native/package.json", import.meta.url));

function run(mode: Mode): Promise<Account> {
  const { user, password, port } = inject("suites");
  const pool = { host: "127.0.0.1", port, user, password, database: "postgres" };
  return runApplication({ mode, pool, isNative: true, asksServer: true });
}

describe("a pool of pg-native", () => {
  let accounts: Record<Mode, Account>;

  beforeAll(async () => {
    try {
      require("pg-native");
    } catch (error) {
      throw new Error(
        "pg-native is not built. Needs libpq's headers (Debian: libpq-dev), a compiler and Python: npm run install:suites",
        { cause: error },
      );
    }
    const [bare, watched, recycled] = await Promise.all([run("bare"), run("watched"), run("recycled")]);
    accounts = { bare, watched, recycled };
  });

  test.each(["watched", "recycled"] as const)("gives the same results, errors and events when %s", (mode) => {
    expect(accounts.bare.account.length).toBeGreaterThan(60);
    expect(accounts[mode].account).toEqual(accounts.bare.account);
  });

  test.each(["watched", "recycled"] as const)("has the numbers of a bare one when %s", (mode) => {
    const { counts } = accounts.bare;
    expect(accounts[mode].counts).toEqual(counts);
    expect(accounts[mode].numbers).toEqual(numbersOf(counts));
    expect(accounts[mode].budgets).toMatchObject([{ maxConnections: 200 }]);
  });
});
