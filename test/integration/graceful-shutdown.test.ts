import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, inject, onTestFinished, test } from "vitest";
import { makeScope } from "../support/pools.ts";
import { until } from "../support/until.ts";

const script = fileURLToPath(new URL("../fixtures/graceful-app.ts", import.meta.url));

interface App {
  readonly child: ChildProcess;
  readonly said: () => string;
  get(path: string): Promise<{ status: number; text: string }>;
}

async function startApp(options: object, mode = ""): Promise<App> {
  const args = ["--import", "tsx", script, JSON.stringify(inject("postgres")), JSON.stringify(options), mode];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  const port = await until(() => /port (\d+)/.exec(output)?.[1]);
  return {
    child,
    said: () => output,
    async get(path) {
      const response = await fetch(`http://localhost:${port}${path}`, { headers: { connection: "close" } });
      return { status: response.status, text: await response.text() };
    },
  };
}

test("SIGTERM: first not ready, then no new requests; what is under way is answered; pools end; exit 0", async () => {
  const { child, said, get } = await startApp({ delayMillis: 300 });
  expect((await get("/health/ready")).status).toBe(200);
  const slow = get("/slow");
  await until(() => said().includes("slow begins"));
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await until(async () => (await get("/health/ready")).status === 503);
  const during = await get("/health/ready");
  expect(JSON.parse(during.text)).toMatchObject({
    status: "shutting_down",
    reasons: ["the application is shutting down"],
  });
  expect((await get("/health/live")).status).toBe(200);
  await until(async () => (await get("/health/live").catch(() => undefined)) === undefined);
  expect(await slow).toEqual({ status: 200, text: "done" });
  expect(await exited).toEqual([0, null]);
  expect(said()).toContain("poolscope - shutting down: not ready; the server closes in 300 ms");
  expect(said()).toContain("exit total=0 ended=true");
});

test("whoever does not finish is cut off, and the process ends all the same", async () => {
  const { child, said, get } = await startApp({ delayMillis: 0, timeoutMillis: 200 }, "leaking");
  const hanging = get("/hangs").catch((error: Error) => error.message);
  await until(() => said().includes("hangs begins"));
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  expect(await hanging).toBe("fetch failed");
  expect(await exited).toEqual([0, null]);
  expect(said()).toContain("requests were still under way after 200 ms and were cut off");
  expect(said()).toMatch(
    /orders - a connection was not returned within 200 ms and was cut off: checked out at \S*graceful-app\.ts:\d+:\d+, held for/,
  );
  expect(said()).toContain("exit total=0 ended=true");
});

test("a second signal skips the delay; signals can be chosen", async () => {
  const { child } = await startApp({ delayMillis: 600_000, signals: ["SIGUSR2"] });
  const exited = once(child, "exit");
  child.kill("SIGUSR2");
  child.kill("SIGUSR2");
  const again = setInterval(() => child.kill("SIGUSR2"), 50);
  expect(await exited).toEqual([0, null]);
  clearInterval(again);
});

test.each([
  [undefined, {}, "Expected `server` to be an http.Server, got `undefined`"],
  [{ close() {} }, { delayMillis: -1 }, "Expected `delayMillis` to be a whole number from 0"],
  [
    { close() {} },
    { signals: ["SIGNONE"] },
    'Expected `signals` to be names of signals, got `"SIGNONE"` (string)',
  ],
  [{ close() {} }, { exit: "no" }, 'Expected `exit` to be true or false, got `"no"` (string)'],
])("%j, %j: refused", (server, options, message) => {
  const before = process.listenerCount("SIGTERM");
  expect(() => makeScope().gracefulShutdown(server as never, options as never)).toThrow(message);
  expect(process.listenerCount("SIGTERM")).toBe(before);
});

test("cancel() takes the listeners away", () => {
  const before = process.listenerCount("SIGTERM");
  const shutdown = makeScope().gracefulShutdown({ close() {} });
  expect(process.listenerCount("SIGTERM")).toBe(before + 1);
  shutdown.cancel();
  expect(process.listenerCount("SIGTERM")).toBe(before);
});
