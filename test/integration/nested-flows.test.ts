import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type pg from "pg";
import { expect, onTestFinished, test, vi } from "vitest";
import { makePool, makeScope } from "../support/pools.ts";
import { until } from "../support/until.ts";

function watched(options: pg.PoolConfig = {}) {
  const pool = makePool({ max: 4, ...options });
  const scope = makeScope({ nestedCheckouts: "warn" });
  scope.watch(pool, { name: "orders" });
  const nested = vi.fn();
  scope.on("nestedCheckout", nested);
  return { pool, nested };
}

/** A server of which each request queries. */
function startServer(pool: pg.Pool): Server {
  const server = createServer((_request, response) => {
    pool.query("SELECT 1").then(
      () => response.end("ok"),
      () => response.destroy(),
    );
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  return server;
}

async function get(server: Server): Promise<string> {
  await until(() => server.listening);
  const { port } = server.address() as AddressInfo;
  return (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } })).text();
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("requests of a server started beside a held connection are not nested in it", async () => {
  const { pool, nested } = watched();
  let held: pg.PoolClient | undefined;
  const hold = async () => {
    held = await pool.connect();
    await held.query("SELECT 1");
  };
  const holding = hold();
  const server = startServer(pool);
  await holding;
  expect(await get(server)).toBe("ok");
  expect(await get(server)).toBe("ok");
  expect(nested).not.toHaveBeenCalled();
  held?.release();
});

test("requests of a server started after a LISTEN client are not nested in it", async () => {
  const { pool, nested } = watched();
  const client = await pool.connect();
  await client.query("LISTEN nested_flows");
  client.on("notification", () => {});
  const server = startServer(pool);
  expect(await get(server)).toBe("ok");
  expect(nested).not.toHaveBeenCalled();
  client.release();
});

test("requests of a server started by the flow that holds a connection for good are not nested in it", async () => {
  const { pool, nested } = watched();
  const leader = await pool.connect();
  await leader.query("SELECT pg_advisory_lock(4711)");
  const server = startServer(pool);
  expect(await get(server)).toBe("ok");
  expect(nested).not.toHaveBeenCalled();
  leader.release(true);
});

test("a request that asks for a second connection is nested in its own", async () => {
  const { pool, nested } = watched();
  const server = createServer(async (_request, response) => {
    const client = await pool.connect();
    await client.query("SELECT 1");
    await pool.query("SELECT 1");
    client.release();
    response.end("ok");
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  expect(await get(server)).toBe("ok");
  expect(nested).toHaveBeenCalledTimes(1);
});

test("timers and flows started beside a held connection are not nested in it", async () => {
  const { pool, nested } = watched();
  let held: pg.PoolClient | undefined;
  const holding = (async () => {
    held = await pool.connect();
    await held.query("SELECT 1");
  })();
  const timed = new Promise<void>((resolve, reject) => {
    setTimeout(() => pool.query("SELECT 1").then(() => resolve(), reject), 30);
  });
  const beside = (async () => {
    await nextTurn();
    await until(() => held !== undefined);
    await pool.query("SELECT 1");
  })();
  await Promise.all([holding, timed, beside]);
  expect(nested).not.toHaveBeenCalled();
  held?.release();
});

test("handlers of notifications are not nested in the connection that is notified", async () => {
  const { pool, nested } = watched();
  const handled = vi.fn();
  const listen = async () => {
    const client = await pool.connect();
    client.on("notification", () => {
      pool.query("SELECT 1").then(handled, handled);
    });
    await client.query("LISTEN nested_flows_handler");
    return client;
  };
  const listening = listen();
  const client = await listening;
  for (let round = 1; round <= 3; round++) {
    await pool.query("NOTIFY nested_flows_handler");
    await until(() => handled.mock.calls.length === round);
  }
  expect(handled.mock.calls.every(([result]) => !(result instanceof Error))).toBe(true);
  expect(nested).not.toHaveBeenCalled();
  client.release();
});

test("events of a connection are outside of the flow that opened it", async () => {
  const { pool, nested } = watched();
  const noticed = vi.fn();
  const client = await pool.connect();
  client.on("notice", () => pool.query("SELECT 1").then(noticed, noticed));
  await client.query("DO $$ BEGIN RAISE NOTICE 'here'; END $$");
  await until(() => noticed.mock.calls.length > 0);
  expect(nested).not.toHaveBeenCalled();
  client.release();
});

test("a second connection right after the first is nested, also when the first was not used", async () => {
  const { pool, nested } = watched();
  const transfer = async () => {
    const outer = await pool.connect();
    const inner = await pool.connect();
    inner.release();
    outer.release();
  };
  await transfer();
  expect(nested).toHaveBeenCalledTimes(1);
});

test("a query of the pool between two of a transaction is nested, wherever the flow has been since", async () => {
  const { pool, nested } = watched();
  const begin = async () => {
    const client = await pool.connect();
    await client.query("BEGIN");
    return client;
  };
  const client = await begin();
  await client.query("SELECT 1");
  await nextTurn();
  await pool.query("SELECT 1");
  await client.query("COMMIT");
  client.release();
  expect(nested).toHaveBeenCalledTimes(1);
});

test("a query in the callback that was given the connection is nested, what its caller does meanwhile is not", async () => {
  const { pool, nested } = watched();
  let held: pg.PoolClient | undefined;
  const given = new Promise<void>((resolve) => {
    pool.connect((_error, client) => {
      held = client;
      resolve();
    });
  });
  await given;
  await pool.query("SELECT 1");
  expect(nested).not.toHaveBeenCalled();
  held?.release();

  await new Promise<void>((resolve, reject) => {
    pool.connect((_error, _client, release) => {
      pool.query("SELECT 1").then(() => {
        release();
        resolve();
      }, reject);
    });
  });
  expect(nested).toHaveBeenCalledTimes(1);
});

test("a callback in the queue runs in the flow that gave it, not in that of the release", async () => {
  const { pool, nested } = watched({ max: 2 });
  const holders = Promise.all([pool.connect(), pool.connect()]);
  const [first, second] = await (async () => {
    const clients = await holders;
    await Promise.all(clients.map((client) => client.query("SELECT 1")));
    return clients;
  })();
  const asked = new Promise<void>((resolve, reject) => {
    setImmediate(() => {
      pool.connect((_error, _client, release) => {
        release();
        pool.query("SELECT 1").then(() => resolve(), reject);
      });
      // Its holder still has the second one when the callback runs.
      first.release();
    });
  });
  await asked;
  expect(nested).not.toHaveBeenCalled();
  second.release();
});
