import { expect, test } from "vitest";
import { BucketHistogram } from "../../src/metrics/histogram.ts";
import { returnedRows } from "../../src/queries/returned-rows.ts";

test("a histogram records finite numbers from 0 on, and nothing else", () => {
  const histogram = new BucketHistogram([1, 10]);
  for (const value of [0, 5, Number.NaN, Number.POSITIVE_INFINITY, -1, Number.NEGATIVE_INFINITY, 20]) {
    histogram.record(value);
  }
  const { counts, count, sum, min, max } = histogram;
  expect({ counts, count, sum, min, max }).toEqual({ counts: [1, 1, 1], count: 3, sum: 25, min: 0, max: 20 });
});

const fields = [{}];
test.each<[string, unknown, number | undefined]>([
  ["the rows", { fields, rows: [1, 2], rowCount: 2 }, 2],
  ["the count, without the rows", { fields, rows: [], rowCount: 7 }, 7],
  ["the rows, if there is no count", { fields, rows: [1], rowCount: null }, 1],
  ["the rows, if the count is infinite", { fields, rows: [1], rowCount: Number.POSITIVE_INFINITY }, 1],
  ["the rows, if the count is beyond what is exact", { fields, rows: [1], rowCount: 2 ** 53 }, 1],
  ["the rows, if the count is negative", { fields, rows: [1], rowCount: -5 }, 1],
  ["the rows, if the count is a fraction", { fields, rows: [1], rowCount: 1.5 }, 1],
  ["the rows, if the count is a text", { fields, rows: [1], rowCount: "9" }, 1],
  ["nothing, if there is neither", { fields, rows: [], rowCount: Number.NaN }, undefined],
  ["none", { fields, rows: [], rowCount: 0 }, 0],
  ["nothing, of an INSERT", { fields: [], rows: [], rowCount: 3 }, undefined],
  ["the sum, of several results", [{ fields, rows: [1] }, { fields: [] }, { fields, rowCount: 2 }], 3],
  [
    "nothing, if the sum is beyond what is exact",
    [1, 2].map(() => ({ fields, rowCount: Number.MAX_SAFE_INTEGER })),
    undefined,
  ],
])("returned rows are %s", (_, result, rows) => {
  expect(returnedRows(result)).toBe(rows);
});
