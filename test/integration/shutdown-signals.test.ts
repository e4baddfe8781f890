import { expect, test } from "vitest";
import { startShutdownApp } from "../support/shutdown-app.ts";
import { until } from "../support/until.ts";

const options = { delayMillis: 0, timeoutMillis: 20_000 };
const SOON_MILLIS = 10_000;

test.each(["SIGTERM", "SIGINT"] as const)("%s ends an application gracefully by default", async (signal) => {
  const app = await startShutdownApp({ options });
  expect(await app.end(signal)).toMatchObject({ code: 0, signal: null });
  expect(app.said()).toContain("orders: exit total=0 ended=true");
});

test("a second signal skips the delay", async () => {
  const app = await startShutdownApp({ options: { delayMillis: 600_000 } });
  app.child.kill("SIGTERM");
  await until(() => app.said().includes("shutting down"));
  expect(await app.end("SIGTERM")).toMatchObject({ code: 0, signal: null });
});

test("a later signal than the second ends the process at once, with the code of that signal", async () => {
  const app = await startShutdownApp({ options });
  const request = fetch(`http://127.0.0.1:${app.port}/leak`);
  expect((await request).status).toBe(200);
  app.child.kill("SIGTERM");
  await until(() => app.said().includes("shutting down"));
  const insisting = setInterval(() => app.child.kill("SIGTERM"), 100);
  const { code, millis } = await app.ended();
  clearInterval(insisting);
  expect(code).toBe(128 + 15);
  expect(millis).toBeGreaterThan(900);
  expect(millis).toBeLessThan(SOON_MILLIS);
});

test.each(["stays", "is called once"] as const)(
  "another listener of the signal that %s is not cut off, and the process ends with it",
  async (hook) => {
    const app = await startShutdownApp({ hook, options });
    const { code, millis } = await app.end("SIGTERM");
    expect(app.said()).toMatch(/hook done[\s\S]*orders: exit/);
    expect(code).toBe(0);
    expect(millis).toBeLessThan(SOON_MILLIS);
  },
);

test("a process that something else keeps alive ends timeoutMillis after its shutdown", async () => {
  const app = await startShutdownApp({
    hook: "stays",
    keepsAlive: true,
    options: { delayMillis: 0, timeoutMillis: 1_500 },
  });
  const { code, millis } = await app.end("SIGTERM");
  expect(app.said()).toMatch(/hook done[\s\S]*orders: exit/);
  expect(code).toBe(0);
  expect(millis).toBeGreaterThan(1_400);
});

test("a listener that removes itself and sends the signal again is waited for", async () => {
  const app = await startShutdownApp({ hook: "sends the signal again", keepsAlive: true, options });
  const { signal, millis } = await app.end("SIGTERM");
  expect(app.said()).toContain("hook done");
  expect(app.said()).toContain("poolscope - shut down");
  // The shutdown is over, so nothing listens to it any more.
  expect(signal).toBe("SIGTERM");
  expect(millis).toBeLessThan(SOON_MILLIS);
});

test("a listener that exits decides the exit code", async () => {
  const app = await startShutdownApp({ hook: "exits with 7", options });
  expect(await app.end("SIGTERM")).toMatchObject({ code: 7 });
  expect(app.said()).toContain("orders: exit total=0 ended=true");
});

test("two applications of one process both end gracefully", async () => {
  const app = await startShutdownApp({ isDouble: true, keepsAlive: true, options });
  const request = fetch(`http://127.0.0.1:${app.port}/slow`).then((response) => response.text());
  await until(() => app.said().includes("slow begins"));
  const { code, millis } = await app.end("SIGTERM");
  expect(await request).toBe("done");
  expect(code).toBe(0);
  expect(millis).toBeLessThan(SOON_MILLIS);
  expect(app.said()).toContain("orders: exit total=0 ended=true");
  expect(app.said()).toContain("reports: exit total=0 ended=true");
});
