import { describe, expect, it } from "vitest";
import { parsePromql } from "../support/promql.ts";

describe("PromQL", () => {
  it("names the metrics and the labels of a query", () => {
    const { errors, metrics, labels } = parsePromql(
      `max by (job) (
        sum by (job, pool) (rate(a_bucket{instance=~"x|y"}[5m])) / on (job) group_left (team) b:c:rate5m
      ) > bool 0 or absent({__name__="d", zone!=""})`,
    );
    expect(errors).toEqual([]);
    expect(metrics).toEqual(["a_bucket", "b:c:rate5m", "d"]);
    expect([...labels].sort()).toEqual(["instance", "job", "pool", "team", "zone"]);
  });

  it("tells for each selector its matchers, its range and what is around it", () => {
    expect(
      parsePromql('sum(increase(a_total{job="x", "b"!~"y"}[1h])) - {"c", job="\\"z\\\\"}').selectors,
    ).toEqual([
      {
        metric: "a_total",
        matchers: [
          { label: "job", op: "=", value: "x" },
          { label: "b", op: "!~", value: "y" },
        ],
        range: "1h",
        within: ["increase", "sum"],
      },
      { metric: "c", matchers: [{ label: "job", op: "=", value: '"z\\' }], range: undefined, within: [] },
    ]);
  });

  it("says where a query cannot be understood", () => {
    expect(parsePromql("sum by (job) (\n  rate(a[5x]))").errors[0]).toMatchObject({ line: 2, column: 11 });
    expect(parsePromql("sum(a").errors).toEqual([
      { line: 1, column: 6, message: "the query ends too early" },
    ]);
    expect(parsePromql("rates(a[5m])").errors).not.toEqual([]);
    expect(parsePromql("").errors).toEqual([{ line: 1, column: 1, message: "the query ends too early" }]);
  });
});
