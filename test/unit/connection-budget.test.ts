import { EventEmitter } from "node:events";
import { describe, expect, test } from "vitest";
import {
  budgetAdvice,
  type ConnectionBudget,
  connectionBudgets,
  serverLimits,
} from "../../src/server/connection-budget.ts";

const budget: ConnectionBudget = {
  server: "db:5432",
  processes: 4,
  pools: [
    { name: "orders", max: 30 },
    { name: "reports", max: 20 },
  ],
  wanted: 200,
  maxConnections: 100,
  reserved: 3,
  available: 97,
  fits: false,
};

/** A class of clients of a server that has these settings, and how many of them were made. */
function fakeServer(settings: Record<string, string | null>) {
  return class FakeClient extends EventEmitter {
    static made = 0;
    constructor() {
      super();
      FakeClient.made++;
    }
    connect(done: () => void) {
      done();
    }
    query(_text: string, _values: unknown, done: (error: undefined, answer: object) => void) {
      done(undefined, { rows: [settings] });
    }
    end(done: () => void) {
      done();
    }
  };
}

describe("the advice", () => {
  test("names the pools, the numbers and the knobs", () => {
    expect(budgetAdvice(budget)).toBe(
      "connection budget: 2 pools (orders max=30, reports max=20) × 4 processes want 200 connections," +
        " the server at db:5432 gives 97 (max_connections=100, 3 reserved);" +
        " lower max or the number of processes, or raise max_connections",
    );
  });

  test("of one pool in one process does not speak of fewer processes", () => {
    const alone = { ...budget, processes: 1, pools: [{ name: "orders", max: 200 }] };
    expect(budgetAdvice(alone)).toBe(
      "connection budget: 1 pool (orders max=200) × 1 process wants 200 connections," +
        " the server at db:5432 gives 97 (max_connections=100, 3 reserved);" +
        " lower max, or raise max_connections",
    );
  });

  test("is not needed for what fits", () => {
    expect(budgetAdvice({ ...budget, fits: true })).toBeUndefined();
  });
});

test("a server is asked once, however many pools go to it; what exactly fits, fits", async () => {
  const Client = fakeServer({ max_connections: "100", superuser_reserved: "3", reserved: "7" });
  const target = { Client, options: {} };
  const budgets = await connectionBudgets(
    [
      { name: "a", max: 25, server: "db:5432", target },
      { name: "b", max: 20, server: "db:5432", target },
    ],
    2,
    1_000,
  );
  expect(budgets).toMatchObject([{ wanted: 90, available: 90, reserved: 10, fits: true }]);
  expect(Client.made).toBe(1);
});

test("a server without reserved_connections has only the superuser's", async () => {
  const Client = fakeServer({ max_connections: "100", superuser_reserved: "3", reserved: null });
  expect(await serverLimits({ Client, options: {} }, 1_000)).toEqual({ maxConnections: 100, reserved: 3 });
});

test.each([null, "-1"])("a server whose max_connections is %s has no budget", async (max_connections) => {
  const Client = fakeServer({ max_connections, superuser_reserved: null, reserved: null });
  await expect(serverLimits({ Client, options: {} }, 1_000)).rejects.toThrow("max_connections");
});
