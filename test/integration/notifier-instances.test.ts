import { hostname } from "node:os";
import { expect, test } from "vitest";
import { type Alert, type Notifier, PoolscopeError, slack, webhook } from "../../src/index.ts";
import { startReceiver } from "../support/receiver.ts";

const alert: Alert = {
  pool: "orders",
  rule: "usage",
  severity: "warning",
  state: "firing",
  value: 1,
  threshold: 0.8,
  since: "2026-11-23T10:00:00.000Z",
  summary: "orders - usage high 100%",
};

async function sent(make: (url: string) => Notifier) {
  const receiver = await startReceiver();
  await make(receiver.origin).notify(alert, new AbortController().signal);
  return receiver.received[0]?.body;
}

test("a webhook's JSON names the machine and the process", async () => {
  expect(await sent((url) => webhook(url))).toMatchObject({
    ...alert,
    source: hostname(),
    pid: process.pid,
  });
});

test("Slack's facts name the machine and the process", async () => {
  const { blocks } = await sent((url) => slack(url));
  expect(blocks[1].elements[0].text).toContain(` · on ${hostname()} (process ${process.pid})`);
});

test("`source` names the instance otherwise, and is no markup of Slack's", async () => {
  expect(await sent((url) => webhook(url, { source: "eu-1" }))).toMatchObject({ source: "eu-1" });
  const { blocks } = await sent((url) => slack(url, { source: "<!channel>" }));
  expect(blocks[1].elements[0].text).toContain(` · on &lt;!channel&gt; (process ${process.pid})`);
});

test("`source` is refused where it is empty", () => {
  const message = 'Expected `source` to be a string of 1 to 255 characters, got `""` (string)';
  for (const notifier of [slack, webhook]) {
    expect(() => notifier("https://hooks.test/", { source: "" })).toThrow(PoolscopeError);
    expect(() => notifier("https://hooks.test/", { source: "" })).toThrow(message);
  }
});
