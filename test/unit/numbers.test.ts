import fc from "fast-check";
import { expect, test } from "vitest";
import { BucketHistogram } from "../../src/metrics/histogram.ts";
import { dialErrorType, failureCause, timeoutType } from "../../src/watch/dial-failure.ts";
import { MovingMean } from "../../src/watch/moving-mean.ts";
import { Peak } from "../../src/watch/peak.ts";

test("buckets are closed above and open below, and nothing is lost", () => {
  const histogram = new BucketHistogram([0.1, 1]);
  for (const seconds of [0, 0.1, 0.100001, 1, 1.5]) histogram.record(seconds);
  expect([...histogram.counts]).toEqual([2, 2, 1]);
  expect(histogram).toMatchObject({ count: 5, min: 0, max: 1.5 });
  expect(histogram.sum).toBeCloseTo(2.700001);
});

test("any durations: counts add up, and each lies in the bucket its value says", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 100, noNaN: true })), (durations) => {
      const boundaries = [0.01, 0.1, 1, 10];
      const histogram = new BucketHistogram(boundaries);
      for (const seconds of durations) histogram.record(seconds);
      const within = boundaries.map((bound) => durations.filter((seconds) => seconds <= bound).length);
      const cumulative = [...histogram.counts].map((_, index, counts) =>
        counts.slice(0, index + 1).reduce((sum, count) => sum + count, 0),
      );
      expect(cumulative).toEqual([...within, durations.length]);
      expect(histogram.count).toBe(durations.length);
    }),
  );
});

test("a moving mean begins as the plain mean, follows what comes later, and forgets", () => {
  const mean = new MovingMean();
  expect(mean.value).toBe(0);
  for (const value of [9, 1, 2]) mean.add(value);
  expect(mean.value).toBeCloseTo(4);
  for (let count = 0; count < 64; count++) mean.add(10);
  expect(mean.value).toBeGreaterThan(8);
  for (let count = 0; count < 300; count++) mean.add(1);
  expect(mean.value).toBeCloseTo(1, 2);
});

test("a peak is told to the sampler for its interval, and to everyone else for at least one interval", () => {
  const peak = new Peak();
  peak.raise(5);
  expect(peak.read(1)).toBe(5);
  peak.closeWindow(1);
  expect(peak.read(1)).toBe(5); // the sampler's reading
  peak.raise(2);
  expect(peak.read(0)).toBe(5); // a scrape between two samples
  peak.closeWindow(0);
  expect(peak.read(0)).toBe(2);
  peak.closeWindow(0);
  expect(peak.read(0)).toBe(0);
  expect(peak.read(3)).toBe(3); // never below the value itself
});

test.each([
  [Object.assign(new Error("x"), { code: "28P01" }), "28P01", "authentication"],
  [Object.assign(new Error("x"), { code: "28000" }), "28000", "authentication"],
  [new Error("SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string"), "sasl", "authentication"],
  [Object.assign(new Error("x"), { code: "53300" }), "53300", "tooManyConnections"],
  [Object.assign(new AggregateError([]), { code: "ECONNREFUSED" }), "ECONNREFUSED", "refused"],
  [Object.assign(new Error("x"), { code: "ENOTFOUND" }), "ENOTFOUND", "unreachable"],
  [Object.assign(new Error("x"), { code: "EAI_AGAIN" }), "EAI_AGAIN", "unreachable"],
  [new Error("timeout expired"), "dial_timeout", "dialTimeout"],
  [Object.assign(new Error("x"), { code: "ETIMEDOUT" }), "ETIMEDOUT", "dialTimeout"],
  [Object.assign(new Error("x"), { code: "3D000" }), "3D000", "other"],
  [Object.assign(new Error("x"), { code: "password=hunter2" }), "Error", "other"],
  [new RangeError("SELECT 'secret'"), "RangeError", "other"],
  [Object.assign(Object.create({ constructor: { name: "a b" } }), {}), "Error", "other"],
  [undefined, "undefined", "other"],
  ["text", "string", "other"],
])("%o is %s, %s", (error, type, cause) => {
  expect(dialErrorType(error)).toBe(type);
  expect(failureCause(type)).toBe(cause);
});

test("only pg-pool's own texts are timeouts", () => {
  expect(timeoutType(new Error("timeout exceeded when trying to connect"))).toBe("wait_timeout");
  expect(timeoutType(new Error("Query read timeout"))).toBeUndefined();
  expect(timeoutType("timeout exceeded when trying to connect")).toBeUndefined();
});
