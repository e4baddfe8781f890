import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, answersTable, askDashboards } from "../support/dashboard-queries.ts";
import { readDashboards } from "../support/dashboards.ts";
import { type DemoProcess, startDemo } from "../support/demo-process.ts";
import { type PrometheusServer, startPrometheus } from "../support/prometheus-server.ts";
import { startReceiver } from "../support/receiver.ts";
import { stageFaults } from "../support/staged-faults.ts";

const SCRAPE_SECONDS = 1;
const PATIENCE_MILLIS = 120_000;

let demo: DemoProcess;
let prometheus: PrometheusServer;
let answers: Answer[];

beforeAll(async () => {
  const receiver = await startReceiver();
  demo = await startDemo({ DEMO_WEBHOOK: receiver.origin });
  prometheus = await startPrometheus({
    global: {
      scrape_interval: `${SCRAPE_SECONDS}s`,
      scrape_timeout: `${SCRAPE_SECONDS}s`,
      evaluation_interval: "1s",
    },
    scrape_configs: [
      { job_name: "poolscope-demo", static_configs: [{ targets: [new URL(demo.origin).host] }] },
    ],
  });
  answers = await askUntilFull();
  console.log(answersTable(answers));
}, 2 * PATIENCE_MILLIS);

afterAll(async () => {
  await prometheus?.stop();
  await demo?.stop();
}, PATIENCE_MILLIS);

/** Faults go on until everything has been seen; what is still missing when patience ends is for the tests to say. */
async function askUntilFull(): Promise<Answer[]> {
  const dashboards = await readDashboards();
  const from = Math.floor(Date.now() / 1000);
  const deadline = performance.now() + PATIENCE_MILLIS;
  for (;;) {
    await stageFaults(demo);
    const range = { from, to: Math.floor(Date.now() / 1000), scrapeSeconds: SCRAPE_SECONDS };
    const seen = await askDashboards(prometheus.url, dashboards, range);
    if (missing(seen).length === 0 || performance.now() > deadline) return seen;
  }
}

function missing(all: readonly Answer[]): string[] {
  const empty = all.filter(({ series }) => series.length === 0);
  return empty.map(({ dashboard, item, refId, query }) => `${dashboard} / ${item} ${refId}: ${query}`);
}

function seriesOf(dashboard: string, item: string, refId = "A"): Answer["series"] {
  const answer = answers.find(
    (one) =>
      one.dashboard.endsWith(dashboard) &&
      one.item === item &&
      one.refId === (item.startsWith("$") ? "" : refId),
  );
  if (!answer) throw new Error(`${dashboard} has no ${item}`);
  return answer.series;
}

/** The value at the end of the range, for each value of a label. */
function lastBy(label: string, series: Answer["series"]): Record<string, number | undefined> {
  return Object.fromEntries(series.map(({ metric, values }) => [metric[label] ?? "", values.at(-1)?.[1]]));
}

const POOL = "db_client_connection_pool_name";
const largest = (series: Answer["series"]) =>
  Math.max(...series.flatMap(({ values }) => values.map(([, value]) => value)));

describe("a Prometheus that scrapes /metrics of the demo", () => {
  test("has data for every panel, variable and annotation", () => {
    expect(missing(answers)).toEqual([]);
  });

  test("offers both pools and their one process", () => {
    expect(seriesOf("Overview", "$pool").map(({ metric }) => metric["value"])).toEqual(["orders", "reports"]);
    expect(seriesOf("Overview", "$instance").map(({ metric }) => metric["value"])).toEqual([
      new URL(demo.origin).host,
    ]);
  });

  test("shows limits, and what they are of the server's", () => {
    expect(lastBy(POOL, seriesOf("Fleet", "All pools", "D"))).toEqual({ orders: 10, reports: 4 });
    expect(largest(seriesOf("Fleet", "Connection budget"))).toBeCloseTo(14 / 97);
    expect(largest(seriesOf("Fleet", "Processes"))).toBe(1);
  });

  test("shows that the smaller pool was full, that callers waited, and that connects failed", () => {
    expect(largest(seriesOf("Overview", "Fullest pool"))).toBe(1);
    expect(largest(seriesOf("Overview", "Callers waiting"))).toBeGreaterThan(0);
    const states = seriesOf("Overview", "State of each pool").flatMap(({ values }) =>
      values.map(([, state]) => state),
    );
    expect(states).toEqual(expect.arrayContaining([0, 2, 3]));
  });

  test("tells errors, reasons and routes apart", () => {
    const labels = (label: string, series: Answer["series"]) => series.map(({ metric }) => metric[label]);
    expect(labels("error_type", seriesOf("Overview", "Failed queries by error"))).toContain("22012");
    expect(labels("reason", seriesOf("Overview", "Closed connections by reason"))).toContain("query_error");
    expect(labels("error_type", seriesOf("Pool", "Turned away"))).toContain("wait_timeout");
    expect(labels("http_route", seriesOf("Routes & queries", "Routes"))).toEqual(
      expect.arrayContaining(["/orders", "/reports/slow"]),
    );
    expect(labels("db_query_summary", seriesOf("Routes & queries", "Queries"))).toContain("INSERT payments");
  });

  test("works ratios out of sums", () => {
    const share = seriesOf("Routes & queries", "Queries", "E");
    const shareOf = (verb: string, summary?: string) =>
      share.find(
        ({ metric }) => metric["db_operation_name"] === verb && metric["db_query_summary"] === summary,
      );
    expect(shareOf("INSERT", "INSERT payments")?.values[0]?.[1]).toBeLessThan(1);
    expect(shareOf("SELECT")?.values[0]?.[1]).toBe(1);
    expect(largest(share)).toBeLessThanOrEqual(1);
  });
});
