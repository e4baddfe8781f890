/** What is said of each bench, and what it has to reach. What it reached is in results.json. */
export interface Target {
  readonly what: string;
  readonly unit: string;
  readonly atMost?: number;
  readonly atLeast?: number;
}

export interface CatalogueEntry {
  /** One paragraph: what is measured, and how. */
  readonly about: string;
  readonly targets: Readonly<Record<string, Target>>;
}

const bare = "× bare";

export const CATALOGUE: Readonly<Record<string, CatalogueEntry>> = {
  "query-overhead": {
    about:
      "CPU time (user and system, all threads) and wall time of one named `SELECT 1`. Against PostgreSQL on loopback: by " +
      "one caller after the other, and by four at once on a pool of four, where one wake-up serves several answers and " +
      "the bare pool is cheaper. And against a real `pg.Client` whose server is an object in the same process that answers " +
      "at once, so that what watching adds is not drowned in system calls. Explicit connects are with leak stacks, " +
      "which are on by default.",
    targets: {
      ...perQuery("postgres", "one caller"),
      ...withCallbacks("postgres", "one caller"),
      ...perQuery("busy", "four callers"),
      "instant.poolQuery.added": {
        what: "`pool.query`, no network: added CPU",
        unit: "× instrumentation-pg's",
        atMost: 1 / 8,
      },
    },
  },
  profile: {
    about:
      "Why a query costs what it does: wall time of one query of one caller without a network, as often as it goes with " +
      "everything in the caches nearest to the core, and with 4 MiB written before each query, as the kernel and the rest of " +
      "an application do between the answers of a real server. What is added where caches are cold is memory that has to be " +
      "fetched, data and code. And where poolscope's own time goes, by V8's sampling profiler, caches warm, of queries and of collections: " +
      "it cannot be asked on a real server, because its signals make each write to a socket ten times as long. What " +
      "`query-overhead` and `saturation` miss of their targets they miss for these two reasons: poolscope's time is spread over the " +
      "many functions below, and between the answers of a server they find the caches cold.",
    targets: {},
  },
  "hook-overhead": {
    about:
      "Wall time of one checkout with a stub of a client that answers at once, by one caller, in one process where the " +
      "watched pool and its bare twin take turns: nanoseconds of what is added.",
    targets: {},
  },
  saturation: {
    about:
      "Throughput and latency of `pool.query` of a named `SELECT 1` by 64 callers on a pool of ten, each of which asks again " +
      "as soon as it is answered. Latency is what a caller sees, with the wait for a connection.",
    targets: { throughput: { what: "throughput, everything on default", unit: bare, atLeast: 0.97 } },
  },
  collect: {
    about:
      "CPU time of `scope.readings()` (one look at all pools, and the readings made of it) and of one answer of " +
      "`scope.metrics()` (one look, and its text, to whoever takes it at once), by the number of pools watched; each pool has had six kinds of queries, " +
      "and all were used between two turns. The SDK keeps 2,000 series of a metric, fewer than a thousand such pools have, so " +
      "it is compared up to a hundred.",
    targets: {
      "readings.1000": { what: "readings of 1,000 pools", unit: "µs a pool", atMost: 40 },
      "text.1000": { what: "`/metrics` of 1,000 pools", unit: "µs a pool", atMost: 100 },
      "readings.100": { what: "readings of 100 pools", unit: "µs a pool", atMost: 40 },
      "text.100": { what: "`/metrics` of 100 pools", unit: "µs a pool", atMost: 100 },
      "readings.linear": { what: "linear: readings, 1,000 pools", unit: "× 100 pools, a pool", atMost: 1.5 },
      "text.linear": { what: "linear: `/metrics`, 1,000 pools", unit: "× 100 pools, a pool", atMost: 1.5 },
    },
  },
  health: {
    about:
      "Requests per second and latency of `/health/database` of a pool with ten connections, by ten callers of autocannon, " +
      "against the same body by `response.json()` in an Express app of its own; while the pool is idle, and while all of it is " +
      "handed out and ten callers wait. And what strangers can make `/metrics` and health pages cost, by the number of pools, " +
      "beside one Buffer of the same bytes in the same Express app: 200 connections with 20 pipelined requests each that are " +
      "never read, and one request after the other. Memory is the highest that was seen: beyond the start where nothing is read, else in all. The twins are " +
      "processes of their own, started anew each time, with all pools under watch and full histories, which are not sampled while it counts.",
    targets: {
      idle: { what: "requests per second, idle pool", unit: "× static", atLeast: 0.8 },
      exhausted: { what: "requests per second, exhausted pool", unit: "× static", atLeast: 0.8 },
      ...flooded("unread", "unread pipelined requests"),
      ...flooded("sequential", "one request after the other"),
    },
  },
  memory: {
    about:
      "Heap, and memory outside of it, after a collection of garbage, each measured in a process of its own, three times. A " +
      "bare twin does the same without watching. Watched pools have six kinds of queries; the samples of their histories all " +
      "differ. Of the checkouts, nine in ten are of `pool.query`, the others explicit.",
    targets: {
      perPool: { what: "one pool with a full history", unit: "KiB", atMost: 48 },
      afterPools: { what: "left by each of 1,000 pools that ended", unit: "KiB", atMost: 0.1 },
      afterCheckouts: { what: "left by 10 million checkouts, all together", unit: "KiB", atMost: 64 },
    },
  },
  startup: {
    about:
      "Cold processes, started one after the other: Node with express and pg alone, with `poolscope()` and `watch()` besides, " +
      "and with the official instrumentation and an SDK. Modules are files loaded, by `import` or `require`. The bench fails " +
      "where poolscope loads the OTLP exporter, the Prometheus exporter or instrumentation-pg without being asked for them.",
    targets: { added: { what: "over express and pg", unit: "ms", atMost: 60 } },
  },
  shed: {
    about:
      "An Express app on a pool of ten, each request with one query of 50 ms, and three times as many requests as that " +
      "pool can serve. They come at random times (Poisson), the same in each case, and whether others were answered or " +
      "not; who has no answer after a second is gone, but the query runs. Generator and app share one process: what is " +
      "measured is the queue, not the CPU. Over a short time the queue itself holds more than a second's capacity.",
    targets: {},
  },
  advice: {
    about:
      "Requests that come at random (Poisson) and hold a connection for an exponential time: what the size advice says of " +
      "that load beside what the generator did, and the wait for a connection of a pool of the size advised.",
    targets: {
      offeredLoad: { what: "offered load, the farthest off", unit: "of what was done", atMost: 0.2 },
    },
  },
  peers: {
    about:
      "Not speed but truth: the queries poolscope is tested with, and two pools, as the official instrumentation counts " +
      "them. The bench fails where poolscope's count is not the truth.",
    targets: {},
  },
};

/** The dearest path of each number of pools. */
function flooded(attack: string, what: string): Record<string, Target> {
  const measures = { cpuMicros: "CPU", grownBytes: "memory", lagMillis: "longest loop lag" };
  return Object.fromEntries(
    [2, 20, 50].flatMap((pools) =>
      Object.entries(measures).map(([key, measure]) => [
        `${attack}.${pools}.${key}`,
        { what: `${what}, ${pools} pools: ${measure}`, unit: "× static", atMost: 1.5 },
      ]),
    ),
  );
}

function perQuery(backend: string, callers: string): Record<string, Target> {
  const query = `\`pool.query\`, PostgreSQL, ${callers}`;
  const explicit = `connect, query, release; PostgreSQL, ${callers}`;
  return {
    [`${backend}.poolQuery.cpu`]: { what: `${query}: CPU`, unit: bare, atMost: 1.05 },
    [`${backend}.poolQuery.added`]: {
      what: `${query}: added CPU`,
      unit: "× instrumentation-pg's",
      atMost: 1 / 8,
    },
    [`${backend}.explicit.cpu`]: { what: `${explicit}: CPU`, unit: bare, atMost: 1.1 },
  };
}

function withCallbacks(backend: string, callers: string): Record<string, Target> {
  return {
    [`${backend}.poolQueryCallback.cpu`]: {
      what: `\`pool.query\` with a callback, PostgreSQL, ${callers}: CPU`,
      unit: bare,
      atMost: 1.05,
    },
    [`${backend}.explicitCallback.cpu`]: {
      what: `connect, query, release with callbacks; PostgreSQL, ${callers}: CPU`,
      unit: bare,
      atMost: 1.1,
    },
  };
}
