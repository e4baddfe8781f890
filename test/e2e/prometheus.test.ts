import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import express from "express";
import { afterEach, expect, test } from "vitest";
import { scrape } from "../support/exported.ts";
import { makePool, makeScope } from "../support/pools.ts";
import { until } from "../support/until.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function port(server: Server): Promise<number> {
  if (!server.listening) await once(server, "listening");
  return (server.address() as { port: number }).port;
}

test("promtool parses the text; its naming lint has nothing to say but what the conventions cause", async () => {
  const scope = makeScope();
  const pool = makePool({ max: 3 });
  scope.watch(pool, { name: 'a "quoted\\ name' });
  await pool.query("SELECT 1");
  const { text } = await scrape(scope);
  const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
    input: text,
    encoding: "utf8",
  });
  // 0: clean, 3: parsed, with lint. 1 would be text that cannot be parsed.
  expect([0, 3], `${stdout}${stderr}`).toContain(status);
  const lint = `${stdout}${stderr}`.trim().split("\n").filter(Boolean);
  expect(lint).toEqual([
    'db_client_connection_count non-histogram and non-summary metrics should not have "_count" suffix',
  ]);
});

test("a real Prometheus scrapes what the pools are doing", async () => {
  const scope = makeScope();
  const [orders, reports] = [makePool({ max: 5 }), makePool({ max: 2 })];
  scope.watch(orders, { name: "orders" });
  scope.watch(reports, { name: "reports" });
  for (let client = 0; client < 3; client++) await orders.connect();
  for (let client = 0; client < 2; client++) await reports.connect();
  reports.options.connectionTimeoutMillis = 100;
  await reports.connect().catch(() => {});
  void reports.query("SELECT 1").catch(() => {});

  const app = express().use("/metrics", scope.metrics()).listen(0, "127.0.0.1");
  cleanups.push(() => app.close());
  const folder = await mkdtemp(join(tmpdir(), "poolscope-prometheus-"));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  const config = {
    global: { scrape_interval: "1s", scrape_timeout: "1s" },
    scrape_configs: [{ job_name: "app", static_configs: [{ targets: [`127.0.0.1:${await port(app)}`] }] }],
  };
  await writeFile(join(folder, "prometheus.yml"), JSON.stringify(config));
  const probe = express().listen(0, "127.0.0.1");
  const listen = await port(probe);
  await new Promise((resolve) => probe.close(resolve));
  const prometheus = spawn("prometheus", [
    `--config.file=${folder}/prometheus.yml`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${listen}`,
  ]);
  cleanups.push(async () => {
    prometheus.kill("SIGTERM");
    if (prometheus.exitCode === null) await once(prometheus, "exit");
  });

  const query = async (promql: string): Promise<Record<string, number>> => {
    const response = await fetch(
      `http://127.0.0.1:${listen}/api/v1/query?query=${encodeURIComponent(promql)}`,
    ).catch(() => undefined);
    const answer = response?.ok
      ? ((await response.json()) as {
          data: { result: { metric: Record<string, string>; value: [number, string] }[] };
        })
      : undefined;
    return Object.fromEntries(
      (answer?.data.result ?? []).map(({ metric, value }) => [
        metric["db_client_connection_pool_name"] ?? metric["job"] ?? "",
        Number(value[1]),
      ]),
    );
  };
  await until(async () => (await query("up"))["app"] === 1, 40_000);
  await until(async () => "orders" in (await query("db_client_connection_limit")), 20_000);
  expect(await query("db_client_connection_limit")).toEqual({ orders: 5, reports: 2 });
  expect(await query('db_client_connection_count{db_client_connection_state="used"}')).toEqual({
    orders: 3,
    reports: 2,
  });
  expect(
    await query("sum by (db_client_connection_pool_name) (db_client_connection_timeouts_total)"),
  ).toMatchObject({
    orders: 0,
  });
  expect(await query("poolscope_pool_utilization_ratio")).toEqual({ orders: 0.6, reports: 1 });
  expect(await query("db_client_connection_wait_time_seconds_count")).toEqual({ orders: 3, reports: 2 });
  const quantile = "histogram_quantile(0.5, db_client_connection_create_time_seconds_bucket)";
  expect((await query(quantile))["orders"]).toBeGreaterThan(0);
});
