import { describe, expect, it } from "vitest";
import type { Machine } from "../../bench/harness/machine.ts";
import { performancePage } from "../../bench/harness/page.ts";
import { Comparison, takeTurns } from "../../bench/harness/pairs.ts";

const machine: Machine = {
  cpu: "a CPU",
  cores: 2,
  isPinned: true,
  node: "20.20.2",
  versions: { pg: "8.23.1" },
};

function pageWith(reached: Record<string, number>): string {
  return performancePage({ saturation: { date: "2026-11-23 10:00", machine, tables: [], reached } });
}

describe("docs/performance.md", () => {
  it("says of each target whether it was met", () => {
    expect(pageWith({ throughput: 0.98 })).toContain("| ≥ 0.97 × bare | 0.980 | met |");
    expect(pageWith({ throughput: 0.969 })).toContain("| ≥ 0.97 × bare | 0.969 | NOT met |");
    expect(pageWith({ throughput: Number.NaN })).toContain("| NaN | NOT met |");
  });

  it("names date, machine and versions, and leaves out benches that were not run", () => {
    const page = pageWith({});
    expect(page).toContain("2026-11-23 10:00 UTC. a CPU, 2 cores");
    expect(page).toContain("Node 20.20.2. pg 8.23.1");
    expect(page).not.toContain("## memory");
  });
});

describe("turns", () => {
  it("are those of two, the bare twin before and after the other by turns, both equally often", async () => {
    const order: string[] = [];
    const pairs = await takeTurns("bare", "watched", { rounds: 4 }, async (name) => {
      order.push(name);
      return name === "bare" ? 10 : 11;
    });
    expect(order.join(" ")).toBe("bare watched watched bare bare watched watched bare");
    const { ratio, added } = new Comparison(pairs, (nanos) => nanos);
    expect(ratio).toEqual({ median: 1.1, min: 1.1, max: 1.1 });
    expect(added.median).toBe(1);
  });

  it("are compared with their neighbours: a machine that slows down changes nothing", async () => {
    let slowness = 1;
    const pairs = await takeTurns("bare", "watched", { rounds: 20 }, async (name) => {
      slowness *= 1.001;
      return slowness * (name === "bare" ? 10 : 12);
    });
    const { median } = new Comparison(pairs, (nanos) => nanos).ratio;
    expect(median).toBeCloseTo(1.2, 2);
  });
});
