/** A server that is away, or answers wrong: no caller is forgotten, and the pool dials again. */
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import pg from "pg";
import { expect, inject, onTestFinished, test } from "vitest";
import { isOldestPg } from "../support/pg.ts";
import { CLOSED_PORT, read } from "../support/pools.ts";
import { makeRecycled, type Recycled } from "../support/recycled.ts";
import { surviveUncaught } from "../support/survive.ts";
import { startProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";

/** What became of requests, in the order of the answers. */
interface Outcomes {
  readonly errors: Error[];
  answers: number;
  settled: number;
}

/** So many `SELECT 1` in one tick. */
function ask(pool: pg.Pool, count: number): Outcomes {
  const outcomes: Outcomes = { errors: [], answers: 0, settled: 0 };
  for (let turn = 0; turn < count; turn++) {
    pool
      .query("SELECT 1")
      .then(
        () => outcomes.answers++,
        (error) => outcomes.errors.push(error),
      )
      .then(() => outcomes.settled++);
  }
  return outcomes;
}

/** A recycled pool that was connected once, and the link to its server. */
async function connectedThrough(
  options: pg.PoolConfig,
  how: Parameters<typeof makeRecycled>[1] = {},
): Promise<Recycled & { proxy: TcpProxy }> {
  const proxy = await startProxy(inject("postgres").port);
  const recycled = makeRecycled({ port: proxy.port, ...options }, how);
  // A holder listens to its client, or dies with the connection.
  recycled.pool.on("connect", (client) => client.on("error", () => {}));
  await recycled.pool.query("SELECT 1");
  return { ...recycled, proxy };
}

/** The server is away, and the pool has seen it. */
async function refuse({ pool, proxy }: { pool: pg.Pool; proxy: TcpProxy }): Promise<void> {
  await proxy.refuse();
  await until(() => pool.totalCount === 0);
}

const hasWaited = (millis: number) => {
  const since = performance.now();
  return until(() => performance.now() - since > millis);
};

test("callers above max are answered when the server stays away longer than is retried", async () => {
  const { pool, proxy } = await connectedThrough({ max: 2 }, { dialRetryMillis: 300 });
  await refuse({ pool, proxy });
  const outcomes = ask(pool, 7);
  await until(() => outcomes.settled === 7, 5_000);
  expect(outcomes.errors).toHaveLength(7);
  proxy.heal();
  await expect(pool.query("SELECT 1")).resolves.toBeDefined();
});

test("callers above max are answered when a pool ends while its server is away", async () => {
  const { pool, proxy } = await connectedThrough({ max: 2 }, { dialRetryMillis: 400 });
  await refuse({ pool, proxy });
  const outcomes = ask(pool, 5);
  await hasWaited(100);
  void pool.end();
  await until(() => outcomes.settled === 5, 3_000);
  expect(outcomes.answers).toBe(0);
});

test("each caller gets an error of its own when the server stays away", async () => {
  const { pool, proxy } = await connectedThrough({ max: 3 }, { dialRetryMillis: 200 });
  await refuse({ pool, proxy });
  const outcomes = ask(pool, 3);
  await until(() => outcomes.settled === 3, 5_000);
  expect(outcomes.errors.map(({ message }) => message)).toEqual(Array(3).fill(outcomes.errors[0]?.message));
  expect(new Set(outcomes.errors).size).toBe(3);
});

test("a dial into silence costs one place and not the pool", async () => {
  const { pool, proxy } = await connectedThrough({ max: 3 }, { dialRetryMillis: 500 });
  await refuse({ pool, proxy });
  ask(pool, 1);
  await hasWaited(40);
  // Half back: connections are accepted, and nothing answers.
  proxy.blackhole();
  proxy.heal();
  proxy.blackhole();
  await until(() => proxy.connections > 0);
  proxy.freeze();
  proxy.heal();
  await hasWaited(600);
  const outcomes = ask(pool, 2);
  await until(() => outcomes.answers === 2, 4_000);
});

/** One place of three was lost: the others serve callers. The pool cannot end by itself any more, and is not waited for. */
async function expectOthersAnswered(pool: pg.Pool, isLost: () => boolean): Promise<void> {
  try {
    await until(isLost);
    const outcomes = ask(pool, 2);
    await until(() => outcomes.answers === 2, 4_000);
  } finally {
    void pool.end();
  }
}

/** How a dial of the retry may end without a callback, each of them once. */
const LOST_DIALS: readonly [string, (lose: () => boolean) => pg.PoolConfig][] = [
  [
    "a constructor that throws",
    (lose) => ({
      Client: class extends pg.Client {
        constructor(config?: pg.ClientConfig) {
          if (lose()) throw new Error("no certificate");
          super(config);
        }
      } as unknown as new () => pg.ClientBase,
    }),
  ],
  [
    "an onConnect that does not settle",
    (lose) => ({ onConnect: () => (lose() ? new Promise(() => {}) : undefined) }),
  ],
  ["a verify that does not call back", (lose) => ({ verify: (_client, done) => void (lose() || done()) })],
];
const knownDials = isOldestPg ? [] : LOST_DIALS;

test.each(knownDials)("%s costs one caller and not the pool", async (_name, optionsOf) => {
  surviveUncaught();
  let isLosing = false;
  let lost = 0;
  const lose = () => isLosing && ++lost === 1;
  const { pool, proxy } = await connectedThrough({ max: 3, ...optionsOf(lose) }, { dialRetryMillis: 20_000 });
  await refuse({ pool, proxy });
  ask(pool, 1);
  await hasWaited(40);
  isLosing = true;
  proxy.heal();
  await expectOthersAnswered(pool, () => lost > 0);
});

test("a listener that throws costs one place and not the pool", async () => {
  surviveUncaught();
  const { pool, proxy } = await connectedThrough({ max: 3 }, { dialRetryMillis: 20_000 });
  await refuse({ pool, proxy });
  ask(pool, 1);
  await hasWaited(40);
  let thrown = 0;
  pool.on("acquire", () => {
    if (++thrown === 1) throw new Error("a listener's own");
  });
  proxy.heal();
  await expectOthersAnswered(pool, () => thrown > 0);
});

test.each(["the server comes back", "recycling stops"])(
  "connectionTimeoutMillis holds for callers that waited when %s",
  async (what) => {
    const { pool, proxy, recycling } = await connectedThrough(
      { max: 1, connectionTimeoutMillis: 1_000 },
      { dialRetryMillis: 5_000 },
    );
    await refuse({ pool, proxy });
    const first = pool.connect();
    await hasWaited(100);
    const since = performance.now();
    const second = pool.connect().then(
      () => undefined,
      (error: Error) => error,
    );
    await hasWaited(100);
    let millis = 0;
    void second.then(() => {
      millis = performance.now() - since;
    });
    proxy.heal();
    if (what === "recycling stops") recycling.stop();
    const holder = await first;
    await until(() => millis > 0, 4_000);
    expect(await second).toBeInstanceOf(Error);
    expect(millis).toBeLessThan(2_000);
    holder.release();
  },
);

test("the oldest wait in an outage is the time since the caller asked", async () => {
  const { pool, proxy, scope } = await connectedThrough({ max: 3 }, { dialRetryMillis: 5_000 });
  await hasWaited(700);
  await refuse({ pool, proxy });
  const since = performance.now();
  const outcomes = ask(pool, 1);
  await until(() => performance.now() - since > 60);
  const { oldestWaitSeconds, waiting } = await read(scope, "orders");
  const seconds = (performance.now() - since) / 1000;
  expect(waiting).toBe(1);
  expect(oldestWaitSeconds).toBeGreaterThan(0);
  expect(oldestWaitSeconds).toBeLessThanOrEqual(seconds);
  proxy.heal();
  await until(() => outcomes.answers === 1);
});

test.each([
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "ENOTFOUND",
])("callers wait for a server whose dials fail with %s for a moment", async (code) => {
  let fails = 0;
  const stream = () => {
    const socket = new Socket();
    if (fails === 0) return socket;
    fails--;
    return Object.assign(socket, {
      connect: () =>
        setImmediate(() => socket.destroy(Object.assign(new Error(`connect ${code}`), { code }))) && socket,
    });
  };
  const { pool } = await connectedThrough({ max: 1, stream }, { dialRetryMillis: 5_000 });
  const client = await pool.connect();
  client.release(true);
  await until(() => pool.totalCount === 0);
  fails = 3;
  await expect(pool.query("SELECT 1")).resolves.toBeDefined();
  expect(fails).toBe(0);
});

test.each([
  ["53300", "sorry, too many clients already"],
  ["57P03", "the database system is starting up"],
])("callers wait for a server that answers %s for a moment", async (code, message) => {
  const { pool, proxy } = await connectedThrough({ max: 1 }, { dialRetryMillis: 5_000 });
  const client = await pool.connect();
  client.release(true);
  await until(() => pool.totalCount === 0);
  let answers = 0;
  const refusing = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      answers++;
      // From the next dial on the server itself answers.
      if (answers === 3) pool.options.port = proxy.port;
      socket.end(errorPacket(code, message));
    });
  });
  await new Promise<void>((resolve) => refusing.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void refusing.close());
  const address = refusing.address();
  pool.options.port = typeof address === "object" && address ? address.port : CLOSED_PORT;
  await expect(pool.query("SELECT 1")).resolves.toBeDefined();
  expect(answers).toBe(3);
});

test("callers wait for a Unix socket that is gone for a moment", async () => {
  const { port, ...account } = inject("postgres");
  const folder = await mkdtemp(join(tmpdir(), `poolscope-${randomUUID().slice(0, 8)}-`));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, ".s.PGSQL.5432");
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const upstream = connect(port, "127.0.0.1");
    for (const [from, to] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      sockets.add(from);
      from.on("error", () => {}).on("close", () => to.destroy());
      from.pipe(to);
    }
  });
  const listen = () => new Promise<void>((resolve) => server.listen(path, resolve));
  await listen();
  onTestFinished(() => void server.close());
  const { pool } = makeRecycled({ ...account, host: folder, port: 5432, max: 1 }, { dialRetryMillis: 5_000 });
  await pool.query("SELECT 1");
  server.close();
  for (const socket of sockets) socket.destroy();
  await until(() => pool.totalCount === 0);
  const outcomes = ask(pool, 1);
  await hasWaited(60);
  expect(outcomes.settled).toBe(0);
  await listen();
  await until(() => outcomes.answers === 1, 5_000);
});

test("30,000 callers who wait for a server do not block the event loop", async () => {
  const { pool, proxy } = await connectedThrough({ max: 10 }, { dialRetryMillis: 20_000 });
  await refuse({ pool, proxy });
  // Those who come while dials are retried are those who could be kept apart from pg-pool's queue.
  ask(pool, 1);
  await hasWaited(60);
  const outcomes = ask(pool, 30_000);
  await hasWaited(300);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  await hasWaited(1_200);
  delay.disable();
  // A look through the queue for each caller takes 400 ms and more.
  expect(delay.max / 1e6).toBeLessThan(120);
  void pool.end();
  await until(() => outcomes.settled === 30_000, 10_000);
});

/** An ErrorResponse, which ends a connection attempt. */
function errorPacket(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const head = Buffer.alloc(5, "E");
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}
