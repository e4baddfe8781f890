/** Runs the demo under load and faults for some minutes, and draws what the dashboards then have to show. */
import { mkdir, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { UIDS } from "../../grafana/src/links.ts";
import { askDashboards } from "../../test/support/dashboard-queries.ts";
import { readDashboards } from "../../test/support/dashboards.ts";
import { startDemo } from "../../test/support/demo-process.ts";
import { startPrometheus } from "../../test/support/prometheus-server.ts";
import { stageFaults } from "../../test/support/staged-faults.ts";
import { picture } from "./picture.ts";

const MINUTES = Number(process.env["MINUTES"] ?? 4);
const SCRAPE_SECONDS = 2;
/** Faults come in the middle, so that before and after can be told from them. */
const FAULTS_AT = [0.35, 0.65];

const demo = await startDemo();
const prometheus = await startPrometheus({
  global: {
    scrape_interval: `${SCRAPE_SECONDS}s`,
    scrape_timeout: `${SCRAPE_SECONDS}s`,
    evaluation_interval: "5s",
  },
  scrape_configs: [
    { job_name: "poolscope-demo", static_configs: [{ targets: [new URL(demo.origin).host] }] },
  ],
});
try {
  console.log(`${MINUTES} minutes of load …`);
  // Rates need something to compare the first scrapes with.
  await sleep(5000);
  const from = Math.floor(Date.now() / 1000);
  const until = (share: number) => sleep((from + share * MINUTES * 60) * 1000 - Date.now());
  for (const share of FAULTS_AT) {
    await until(share);
    await stageFaults(demo);
  }
  await until(1);
  const span = { from, to: from + MINUTES * 60 };
  const folder = new URL("../../docs/images/", import.meta.url);
  await mkdir(folder, { recursive: true });
  const dashboards = await readDashboards();
  const answers = await askDashboards(prometheus.url, dashboards, {
    ...span,
    scrapeSeconds: SCRAPE_SECONDS,
    pool: "reports",
  });
  for (const dashboard of dashboards) {
    await writeFile(new URL(`${dashboard.uid}.svg`, folder), picture(dashboard, answers, span));
    console.log(`wrote docs/images/${dashboard.uid}.svg`);
    if (dashboard.uid === UIDS.overview) {
      await writeFile(new URL("overview.svg", folder), picture(dashboard, answers, span, 1));
    }
  }
} finally {
  await prometheus.stop();
  await demo.stop();
}
