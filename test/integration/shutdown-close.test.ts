import { Agent, get } from "node:http";
import { expect, onTestFinished, test, vi } from "vitest";
import { makeScope } from "../support/pools.ts";
import { startShutdownApp } from "../support/shutdown-app.ts";
import { until } from "../support/until.ts";

const options = { delayMillis: 0, timeoutMillis: 20_000 };
const SOON_MILLIS = 10_000;

/** A request of 700 ms over a connection that is kept. */
function slowRequest(port: number): Promise<number | string> {
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  return new Promise((resolve) => {
    get({ host: "127.0.0.1", port, path: "/slow", agent }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    }).on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

test.each(["throws", "is silent", "reports an error", "resolves", "was called before"] as const)(
  "a shutdown answers what is under way and ends when server.close %s",
  async (close) => {
    const app = await startShutdownApp({ close, options });
    const slow = slowRequest(app.port);
    await until(() => app.said().includes("slow begins"));
    const { code, millis } = await app.end("SIGTERM");
    expect(await slow).toBe(200);
    expect(code).toBe(0);
    expect(millis).toBeLessThan(SOON_MILLIS);
    expect(app.said()).toContain("orders: exit total=0 ended=true");
    expect(app.said()).not.toMatch(/unhandled|cut off|could not be drained/);
  },
);

test("a shutdown ends, with a server that still listens, when server.close rejects", async () => {
  const app = await startShutdownApp({ close: "rejects", options });
  const slow = slowRequest(app.port);
  await until(() => app.said().includes("slow begins"));
  const { code } = await app.end("SIGTERM");
  expect(await slow).toBe(200);
  expect(code).toBe(0);
  expect(app.said()).toContain("orders: exit total=0 ended=true");
  expect(app.said()).not.toContain("unhandled");
});

test("a server without methods to close connections has its kept ones closed", async () => {
  const app = await startShutdownApp({ isBare: true, options });
  const slow = slowRequest(app.port);
  await until(() => app.said().includes("slow begins"));
  const { code, millis } = await app.end("SIGTERM");
  expect(await slow).toBe(200);
  expect(code).toBe(0);
  expect(millis).toBeLessThan(SOON_MILLIS);
  expect(app.said()).not.toMatch(/unhandled|cut off/);
});

test.each([
  [
    "throws",
    () => {
      throw new Error("thrown");
    },
  ],
  ["is silent", () => {}],
  ["reports an error", (done?: (error?: Error) => void) => done?.(new Error("reported"))],
  ["rejects", () => Promise.reject(new Error("rejected"))],
])("begin() resolves when the close of a stand-in for a server %s", async (_what, close) => {
  const scope = makeScope();
  const closes = vi.fn(close);
  const shutdown = scope.gracefulShutdown(
    { close: closes },
    { delayMillis: 0, timeoutMillis: 100, exit: false },
  );
  await expect(shutdown.begin()).resolves.toBeUndefined();
  expect(closes).toHaveBeenCalledOnce();
  await expect(scope.readings()).rejects.toThrow("This scope is shut down");
});

test("methods of a server that throw do not stop a shutdown", async () => {
  const refuse = () => {
    throw new Error("refused");
  };
  const server = {
    close: () => {},
    ...{ closeIdleConnections: refuse, closeAllConnections: refuse, getConnections: refuse },
    ...{ on: refuse, prependListener: refuse, removeListener: refuse },
  };
  const settings = { delayMillis: 0, timeoutMillis: 100, exit: false };
  await expect(makeScope().gracefulShutdown(server, settings).begin()).resolves.toBeUndefined();
});

test("a signal that no process can listen to is refused", () => {
  expect(() => makeScope().gracefulShutdown({ close() {} }, { signals: ["SIGKILL"] })).toThrow(
    'Expected `signals` to be signals that a process can listen to, got `"SIGKILL"` (string)',
  );
});
