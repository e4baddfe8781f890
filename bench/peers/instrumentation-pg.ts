/**
 * The thousand queries that poolscope is tested with, and two pools, as the official instrumentation alone counts them:
 * its numbers beside the truth and beside poolscope's, which have to be the truth.
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { PgInstrumentation } from "@opentelemetry/instrumentation-pg";
import {
  AggregationTemporality,
  type DataPoint,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import pg from "pg";
import { poolscope } from "poolscope";
import { startPostgres } from "../../demo/postgres-server.ts";
import { MIX_SIZE, prepareQueryMix, runQueryMix } from "../../test/support/query-mix.ts";
import type { Bench, Table } from "../harness/bench.ts";

/** It assigns to the application's own config, which throws, and the query never begins. All else runs with it. */
const SKIP = ["frozen config that holds the callback"];
const TEXTS = 200;

const OK = "(success)";
type Counts = Record<string, number>;
interface Counted {
  readonly counts: Counts;
  readonly series: number;
  /** Values of `db.operation.name`. */
  readonly operations: readonly string[];
}

const meterName = { ours: "poolscope", theirs: "@opentelemetry/instrumentation-pg" };

export const peerInstrumentationPg: Bench = async () => {
  const { host, port, user, password, stop } = await startPostgres();
  const server = { host, port, user, password };
  const admin = makePool({ ...server, database: "postgres", max: 1 });
  try {
    for (const database of ["official", "watched"]) {
      await admin.query(`CREATE DATABASE ${database}`);
      const client = new pg.Client({ ...server, database });
      await client.connect();
      await prepareQueryMix(client);
      await client.end();
    }
    const pools = (database: string) => ({
      pool: makePool({ ...server, database }),
      impatient: makePool({ ...server, database, query_timeout: 40 }),
      pipelined: makePool({ ...server, database, ...({ pipeline: true } as object) }),
    });
    const theirs = await withOfficial((provider) => mix(pools("official"), provider, () => {}));
    const ours = await withOwn((provider, watch) => mix(pools("watched"), provider, watch));
    assert.deepEqual(ours.truth, theirs.truth);
    assert.deepEqual(ours.counted.counts, ours.truth, "poolscope's counts are not the truth");
    return { tables: [...queryTables(ours.truth, ours.counted, theirs.counted), await twoPools(server)] };
  } finally {
    await admin.end();
    await stop();
  }
};

/** Connections may still be closing when the server stops. */
function makePool(options: pg.PoolConfig): pg.Pool {
  return new pg.Pool(options).on("error", () => {});
}

type Pools = Record<"pool" | "impatient" | "pipelined", pg.Pool>;
type Watch = (pool: pg.Pool, name: string) => void;

interface Provider {
  collect(): Promise<ResourceMetrics>;
}

async function mix(pools: Pools, provider: Provider, watch: Watch) {
  for (const [name, pool] of Object.entries(pools)) watch(pool, name);
  const { Query } = pg as unknown as { Query: never };
  const done = await runQueryMix({ ...pools, Query, skip: SKIP });
  const counted = count(await provider.collect());
  for (let n = 0; n < TEXTS; n++) await pools.pool.query(`SELECT\n${n}`);
  const more = count(await provider.collect());
  await Promise.all(Object.values(pools).map((pool) => pool.end()));
  const truth: Counts = {};
  for (const { errorType = OK } of done) truth[errorType] = (truth[errorType] ?? 0) + 1;
  return { truth: sorted(truth), counted: { ...counted, seriesWithTexts: more.series } };
}

function makeProvider() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 30 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  return { meterProvider, reader, collect: async () => (await reader.collect()).resourceMetrics };
}

/** One: a second one would not patch what the first one has seen loaded. */
const instrumentation = new PgInstrumentation({ enabled: false });

async function withOfficial<T>(run: (provider: Provider) => Promise<T>): Promise<T> {
  const provider = makeProvider();
  instrumentation.setMeterProvider(provider.meterProvider);
  instrumentation.enable();
  // Loaded before it: this patches them in place.
  const require = createRequire(import.meta.url);
  require("pg");
  createRequire(require.resolve("pg"))("pg-pool");
  try {
    return await run(provider);
  } finally {
    instrumentation.disable();
  }
}

async function withOwn<T>(run: (provider: Provider, watch: Watch) => Promise<T>): Promise<T> {
  const { meterProvider, reader, collect } = makeProvider();
  const scope = poolscope({
    meterProvider,
    reader,
    sampleIntervalMillis: 0,
    processes: 0,
    slowQueryMillis: 0,
  });
  try {
    return await run({ collect }, (pool, name) => scope.watch(pool, { name }));
  } finally {
    await scope.shutdown();
  }
}

function points(collected: ResourceMetrics, meter: string, metric: string): DataPoint<unknown>[] {
  const found = collected.scopeMetrics.find(({ scope }) => scope.name === meter)?.metrics ?? [];
  const { dataPoints = [] } = found.find(({ descriptor }) => descriptor.name === metric) ?? {};
  return dataPoints as DataPoint<unknown>[];
}

function count(collected: ResourceMetrics): Counted {
  const counts: Counts = {};
  const found = Object.values(meterName).flatMap((meter) =>
    points(collected, meter, "db.client.operation.duration"),
  );
  for (const { attributes, value } of found) {
    const type = String(attributes["error.type"] ?? OK);
    counts[type] = (counts[type] ?? 0) + (value as { count: number }).count;
  }
  const operations = found.map(({ attributes }) => attributes["db.operation.name"]);
  return {
    counts: sorted(counts),
    series: found.length,
    operations: [...new Set(operations.filter((name) => name !== undefined).map(String))].sort(),
  };
}

function sorted(counts: Counts): Counts {
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => a.localeCompare(b)));
}

type Texts = Counted & { readonly seriesWithTexts: number };

function queryTables(truth: Counts, ours: Texts, theirs: Texts): Table[] {
  const total = (counts: Counts) => Object.values(counts).reduce((sum, value) => sum + value, 0);
  const types = [...new Set([...Object.keys(truth), ...Object.keys(theirs.counts)])];
  const row = (name: string, ...cells: string[]) => ({ name, cells });
  const counted = (name: string, ...counts: number[]) => row(name, ...counts.map(String));
  const others = theirs.operations.filter((name) => !ours.operations.includes(name));
  return [
    {
      title: `${MIX_SIZE} queries of every shape, without "${SKIP}", in which the instrumentation throws; by error.type`,
      columns: ["truth", "poolscope", "instrumentation-pg"],
      rows: [
        ...types.map((type) =>
          counted(type, truth[type] ?? 0, ours.counts[type] ?? 0, theirs.counts[type] ?? 0),
        ),
        counted("all", total(truth), total(ours.counts), total(theirs.counts)),
      ],
    },
    {
      title: "Series of durations",
      columns: ["poolscope", "instrumentation-pg"],
      rows: [
        counted("of the same queries", ours.series, theirs.series),
        counted(`after ${TEXTS} texts like "SELECT\\n17" more`, ours.seriesWithTexts, theirs.seriesWithTexts),
        row("`db.operation.name`", quoted(ours.operations), `${quoted(others)} besides`),
      ],
    },
  ];
}

function quoted(names: readonly string[]): string {
  return names.map((name) => JSON.stringify(name).slice(1, -1)).join(" · ");
}

/** Three connections of one pool held, and one of the other: what is `used`? */
async function twoPools(server: pg.PoolConfig): Promise<Table> {
  const held = { official: 3, watched: 1 };
  const used = await withOfficial((official) =>
    withOwn(async (own, watch) => {
      const clients: pg.PoolClient[] = [];
      const made = Object.keys(held).map((database) => makePool({ ...server, database }));
      for (const pool of made) watch(pool, String(pool.options.database));
      for (const [index, times] of Object.values(held).entries()) {
        for (let time = 0; time < times; time++) clients.push(await made[index]!.connect());
      }
      const seen = {
        ours: usedByPool(await own.collect(), meterName.ours),
        theirs: usedByPool(await official.collect(), meterName.theirs),
      };
      for (const client of clients) client.release();
      await Promise.all(made.map((pool) => pool.end()));
      return seen;
    }),
  );
  const rows = Object.entries(held).map(([name, truth], index) => {
    const [ours, theirs] = [used.ours[index], used.theirs[index]];
    assert.equal(ours, truth, "poolscope's count of used connections is not the truth");
    return { name, cells: [truth, ours, theirs].map(String) };
  });
  return {
    title: "Connections used, of two pools",
    columns: ["truth", "poolscope", "instrumentation-pg"],
    rows,
  };
}

function usedByPool(collected: ResourceMetrics, meter: string): unknown[] {
  return points(collected, meter, "db.client.connection.count")
    .filter(({ attributes }) => attributes["db.client.connection.state"] === "used")
    .map(({ value }) => value);
}
