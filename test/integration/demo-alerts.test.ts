import { expect, test } from "vitest";
import { MINUTE, REPORT_SECONDS, RUSH } from "../../demo/load.ts";
import { settings } from "../../demo/settings.ts";
import { startDemo } from "../support/demo-process.ts";
import { until } from "../support/until.ts";

test("what the demo's rush sets off is over before the next one", () => {
  const { alerts, sampleIntervalMillis, slowQueryMillis } = settings;
  // Reports asked for at the end of the rush wait, and then take their time.
  const lastSeconds = RUSH.toSecond + REPORT_SECONDS.rush + 1.5;
  const quietMillis = (RUSH.fromSecond + MINUTE - lastSeconds) * 1000;
  for (const { windowMillis } of [alerts.timeouts, alerts.slowQueries]) {
    expect(windowMillis + 2 * sampleIntervalMillis).toBeLessThan(quietMillis);
  }
  expect(REPORT_SECONDS.quiet * 1000).toBeLessThan(slowQueryMillis);
  expect(REPORT_SECONDS.rush * 1000).toBeGreaterThan(slowQueryMillis);
});

test("clients held in the demo are a leak that fires, and is resolved when they are given back", {
  timeout: 120_000,
}, async () => {
  const { origin, post, stop } = await startDemo({ DEMO_LOAD: "off" });
  try {
    await post("/demo/hold?pool=orders&clients=3&seconds=600");
    const firing = async () => {
      const response = await fetch(`${origin}/health/database/orders`);
      const { alerts } = (await response.json()) as { readonly alerts: readonly { readonly rule: string }[] };
      return alerts.map(({ rule }) => rule);
    };
    await until(async () => (await firing()).includes("leaks"), 40_000);
    await fetch(`${origin}/demo/hold?pool=orders`, { method: "DELETE" });
    await until(async () => (await firing()).length === 0, 40_000);
  } finally {
    await stop();
  }
});
