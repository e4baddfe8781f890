import { expect, test } from "vitest";
import * as reasons from "../../src/watch/close-reason.ts";
import * as recycled from "../../src/watch/recycled-pools.ts";

// @ts-expect-error A second copy, as of another version in the same process
const otherReasons: typeof reasons = await import("../../src/watch/close-reason.ts?copy");
// @ts-expect-error The same
const otherRecycled: typeof recycled = await import("../../src/watch/recycled-pools.ts?copy");

test("what one copy of poolscope counts of a pool the other reads", () => {
  const pool = {};
  expect(otherRecycled.recycleCounts).not.toBe(recycled.recycleCounts);
  recycled.recycleCounts(pool).pings = 3;
  expect(otherRecycled.recycleCounts(pool).pings).toBe(3);
  expect(recycled.recycleCounts({}).pings).toBe(0);
});

test("what one copy of poolscope decides on a client the other reads", () => {
  const client = {};
  expect(otherReasons.decidedReason(client)).toBeUndefined();
  reasons.decide(client, "half_open");
  expect(otherReasons.decidedReason(client)).toBe("half_open");
  otherReasons.decide(client, "kept");
  expect(reasons.decidedReason(client)).toBeUndefined();
  reasons.decide(client, "lifetime");
  otherReasons.undecide(client);
  expect(reasons.decidedReason(client)).toBeUndefined();
});

test("shared state is not enumerable, and a Proxy of a pool shares it", () => {
  const pool = { name: "orders" };
  recycled.recycleCounts(new Proxy(pool, {})).pings++;
  reasons.decide(pool, "lifetime");
  expect(recycled.recycleCounts(pool).pings).toBe(1);
  expect({ ...pool }).toEqual({ name: "orders" });
  expect(JSON.stringify(pool)).toBe('{"name":"orders"}');
});

test("what inherits from a pool has counts of its own", () => {
  const pool = {};
  recycled.recycleCounts(pool).pings++;
  expect(recycled.recycleCounts(Object.create(pool)).pings).toBe(0);
});
