import { createServer } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startLoad } from "../../demo/load.ts";
import { Exported } from "../support/exported.ts";
import type { PrometheusApi } from "../support/stack/prometheus-api.ts";
import { type Demo, type RunningStack, startStack } from "../support/stack/running-stack.ts";
import { until } from "../support/until.ts";

const PATIENCE_MILLIS = 60_000;

/** What poolscope measures, without what Prometheus makes of it. */
const OWN = 'job="poolscope-demo", __name__=~"(?:db_client|poolscope)_.+"';

let stack: RunningStack;
beforeAll(async () => {
  stack = await startStack(15);
});
afterAll(() => stack?.stop());

test("Prometheus says of every pool and replica what its health says at that moment", async () => {
  await load(6);
  const [first, second] = stack.demos as [Demo, Demo];
  const holds = [
    await hold(first, "pool=orders&clients=7&seconds=600"),
    await hold(first, "pool=reports&clients=2&seconds=600&begin=true"),
    await hold(second, "pool=reports&clients=4&seconds=600"),
  ];
  // Two callers that find no connection: they give up after 1.5 s and are counted then.
  const refused = await Promise.all([1, 2].map(() => fetch(`${second.origin}/reports/slow?seconds=1`)));
  expect(refused.map(({ status }) => status)).toEqual([503, 503]);
  expect(holds.map(({ status }) => status)).toEqual([201, 201, 201]);

  for (const demo of stack.demos) {
    for (const pool of ["orders", "reports"]) {
      await eventuallyEqual(
        async () => fromPrometheus(stack.prometheus, demo.instance, pool),
        async () => fromHealth(demo, pool),
      );
    }
  }
  expect(await fromHealth(second, "reports")).toMatchObject({ used: 4, limit: 4, waitTimeouts: 2 });
});

test("every single series of a replica's own page is in Prometheus with the same value", async () => {
  for (const demo of stack.demos) {
    await eventuallyEqual(
      async () => {
        const samples = await stack.prometheus.query(`{instance="${demo.instance}", ${OWN}}`);
        return samples
          .map(({ metric: { __name__: name = "", job: _job, instance: _instance, ...labels }, value }) => ({
            name,
            labels,
            value,
          }))
          .filter(isSteady)
          .map(inOneLine)
          .sort();
      },
      async () => {
        const text = await (await fetch(`${demo.origin}/metrics`)).text();
        return new Exported(text).all.filter(isSteady).map(inOneLine).sort();
      },
    );
  }
});

test("scraped without a Collector, the same replicas have the same metrics with the same labels", async () => {
  const direct = await stack.startDirectPrometheus();
  const names = async (prometheus: PrometheusApi) => {
    const series = await prometheus.series(`{${OWN}}`);
    return [
      ...new Set(series.map(({ __name__, ...labels }) => `${__name__}{${Object.keys(labels).sort()}}`)),
    ].sort();
  };
  await until(async () => (await direct.query("poolscope_pool_size")).length === 4, PATIENCE_MILLIS);
  const [withCollector, without] = await Promise.all([names(stack.prometheus), names(direct)]);
  expect(without).toEqual(withCollector);
  expect(without.length).toBeGreaterThan(40);
});

test("an application notices nothing of a Collector that is away, and its counters are right afterwards", async () => {
  const [demo] = stack.demos as [Demo];
  const written = demo.program.output.length;
  const { checkouts } = await fromHealth(demo, "orders");
  await stack.collector?.stop();
  let requests = await succeeding(demo, 50);
  // Something else on its port, which hangs up: a failure of another kind, and one that can be counted.
  let exports = 0;
  const other = createServer((socket) => {
    exports++;
    socket.destroy();
  }).listen(stack.ports[4318], "127.0.0.1");
  await until(async () => {
    requests += await succeeding(demo, 5);
    return exports >= 20;
  }, PATIENCE_MILLIS);
  await new Promise((resolve) => other.close(resolve));

  expect((await fromHealth(demo, "orders")).checkouts).toBe(checkouts + requests);
  const said = demo.program.output.slice(written).trim();
  console.log(`${requests} requests and ${exports} failed exports; the demo said: ${said || "nothing"}`);
  // Connections that a test before this one holds are a leak by now.
  const ofExports = said.split("\n").filter((line) => !/^(orders - |\s|$)/.test(line));
  expect(ofExports.length).toBeLessThanOrEqual(3);

  await stack.startCollector();
  await eventuallyEqual(
    async () => fromPrometheus(stack.prometheus, demo.instance, "orders"),
    async () => fromHealth(demo, "orders"),
  );
});

/** Load as in the demo, on both replicas, and then none. */
async function load(seconds: number): Promise<void> {
  const before = await Promise.all(stack.demos.map((demo) => fromHealth(demo, "orders")));
  const stops = stack.demos.map(({ origin }) => startLoad(origin));
  await until(async () => {
    const now = await Promise.all(stack.demos.map((demo) => fromHealth(demo, "orders")));
    return now.every(({ checkouts }, index) => checkouts > (before[index]?.checkouts ?? 0) + seconds * 5);
  }, PATIENCE_MILLIS);
  await Promise.all(stops.map((stop) => stop()));
}

async function succeeding({ origin }: Demo, count: number): Promise<number> {
  for (let request = 0; request < count; request++) {
    const response = await fetch(`${origin}/orders`);
    await response.arrayBuffer();
    expect(response.status).toBe(200);
  }
  return count;
}

function hold({ origin }: Demo, query: string): Promise<Response> {
  return fetch(`${origin}/demo/hold?${query}`, { method: "POST" });
}

interface PoolNumbers {
  readonly checkouts: number;
  readonly [name: string]: number;
}

async function fromHealth({ origin }: Demo, pool: string): Promise<PoolNumbers> {
  // biome-ignore lint/suspicious/noExplicitAny: JSON
  const health: any = await (await fetch(`${origin}/health/database/${pool}`)).json();
  return {
    size: health.pool_size,
    limit: health.total_capacity,
    overflow: health.overflow_active,
    used: health.in_use,
    idle: health.available,
    utilization: health.usage_percent,
    connecting: health.connecting,
    pending: health.pending,
    checkouts: health.checkouts,
    waits: health.waits,
    waitTimeouts: health.timeouts.wait,
    dialTimeouts: health.timeouts.dial,
    connects: health.connects,
    closes: health.closes,
    executing: health.held.executing,
    idleInTransaction: health.held.idle_in_transaction,
    heldIdle: health.held.idle,
  };
}

const IN_PROMETHEUS: Record<string, string> = {
  size: "poolscope_pool_size",
  limit: "db_client_connection_limit",
  overflow: "poolscope_pool_overflow",
  used: 'db_client_connection_count{db_client_connection_state="used"}',
  idle: 'db_client_connection_count{db_client_connection_state="idle"}',
  utilization: "poolscope_pool_utilization_ratio",
  connecting: "poolscope_pool_connecting",
  pending: "db_client_connection_pending_requests",
  checkouts: "poolscope_pool_checkouts_total",
  waits: "poolscope_pool_waits_total",
  waitTimeouts: 'db_client_connection_timeouts_total{error_type="wait_timeout"}',
  dialTimeouts: 'db_client_connection_timeouts_total{error_type="dial_timeout"}',
  connects: "poolscope_pool_connects_total",
  closes: "poolscope_pool_closes_total",
  executing: 'poolscope_pool_held{activity="executing"}',
  idleInTransaction: 'poolscope_pool_held{activity="idle_in_transaction"}',
  heldIdle: 'poolscope_pool_held{activity="idle"}',
};

async function fromPrometheus(
  prometheus: PrometheusApi,
  instance: string,
  pool: string,
): Promise<PoolNumbers> {
  const match = `job="poolscope-demo", instance="${instance}", db_client_connection_pool_name="${pool}"`;
  const numbers = await Promise.all(
    Object.entries(IN_PROMETHEUS).map(async ([name, metric]) => {
      const selector = metric.includes("{") ? metric.replace("}", `, ${match}}`) : `${metric}{${match}}`;
      const [sample] = await prometheus.query(`sum(${selector})`);
      const value = sample?.value ?? Number.NaN;
      return [name, name === "utilization" ? Math.round(value * 1000) / 10 : value];
    }),
  );
  return Object.fromEntries(numbers);
}

/** Both are looked at until they are the same, twice around: what moved in between was not of one moment. */
async function eventuallyEqual<T>(look: () => Promise<T>, truth: () => Promise<T>): Promise<void> {
  let seen: T | undefined;
  let expected: T | undefined;
  await until(async () => {
    expected = await truth();
    seen = await look();
    return JSON.stringify(seen) === JSON.stringify(expected);
  }, PATIENCE_MILLIS).catch(() => expect(seen).toEqual(expected));
}

/** Ages grow and peaks fade while nothing happens. */
function isSteady({ name }: { name: string }): boolean {
  return !/_(oldest_wait|total_wait|stalled)_seconds$|_peak_(used|pending)$|^target_info$/.test(name);
}

function inOneLine({
  name,
  labels,
  value,
}: {
  name: string;
  labels: Record<string, string>;
  value: number;
}): string {
  const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${name}{${pairs.map(([key, text]) => `${key}=${JSON.stringify(text)}`)}} ${value}`;
}
