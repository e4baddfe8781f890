import { describe, expect, it } from "vitest";
import { erlangB, erlangC, largestLoad, smallestSize, waitQuantile } from "../../src/advice/erlang.ts";
import { exponential, quantileOf, seeded } from "../support/random.ts";

describe("published values", () => {
  // https://erlang.com/calculatormanual/howmuchtrafficcanatrunkgrouphandle.htm, and the 1 % column of any Erlang B table.
  it.each([
    [1, 0.0101],
    [5, 1.36],
    [10, 4.46],
    [15, 8.108],
    [50, 37.9],
    [100, 84.1],
  ])("Erlang B: %i lines turn a hundredth of %d erlangs away", (lines, load) => {
    expect(erlangB(lines, load)).toBeCloseTo(0.01, 3);
  });

  // Hillier and Lieberman, Introduction to Operations Research, the County Hospital emergency room: two patients an
  // hour, three an hour and doctor, two doctors. P(wait > 0) = 0.167, P(wait > ½ h) = 0.022, P(wait > 1 h) = 0.003.
  it("M/M/2 of the County Hospital", () => {
    const load = 2 / 3;
    expect(erlangC(2, load)).toBeCloseTo(0.167, 3);
    // Times in mean services of 20 minutes.
    expect(waitQuantile(2, load, 0.0226)).toBeCloseTo(1.5, 2);
    expect(waitQuantile(2, load, 0.00305)).toBeCloseTo(3, 2);
  });

  // http://www.me.utexas.edu/~jensen/ORMM/problems/units/queue/question/finite_infinite.html: λ = 5, μ = 3, M/M/2,
  // mean time in queue 0.758.
  it("M/M/2 of Jensen and Bard", () => {
    expect(meanWait(2, 5 / 3) / 3).toBeCloseTo(0.758, 3);
  });

  // The example of most Erlang C calculators: 360 calls of 4 minutes per half hour, 55 agents: 0.239, and 8.2 s.
  it("55 agents for 48 erlangs", () => {
    expect(erlangC(55, 48)).toBeCloseTo(0.239, 3);
    expect(meanWait(55, 48) * 240).toBeCloseTo(8.2, 1);
  });
});

/** C/(c − a), in mean holds. */
function meanWait(size: number, load: number): number {
  return erlangC(size, load) / (size - load);
}

describe("M/M/c in a simulation", () => {
  it.each([
    [1, 0.5],
    [2, 1.7],
    [5, 4],
    [10, 8.5],
    [30, 27],
  ])("%i connections at a load of %d: who waits, and for how long", (size, load) => {
    const waits = simulate(size, load, (random) => exponential(random, 1));
    const waited = waits.filter((wait) => wait > 0).length / waits.length;
    expect(waited / erlangC(size, load)).toBeCloseTo(1, 1);
    for (const tail of [0.2, 0.05]) {
      const expected = waitQuantile(size, load, tail);
      const measured = quantileOf(waits, 1 - tail);
      expect(Math.abs(measured - expected)).toBeLessThanOrEqual(0.1 * expected);
    }
  });

  it("the smallest size meets the target and one connection less does not", () => {
    const [load, target] = [8, 0.3];
    const size = smallestSize(load, target, 0.05, 1000) as number;
    const p95 = (connections: number) =>
      quantileOf(
        simulate(connections, load, (random) => exponential(random, 1)),
        0.95,
      );
    expect(p95(size)).toBeLessThanOrEqual(target);
    expect(p95(size - 1)).toBeGreaterThan(target);
  });
});

describe("holds that are not exponential", () => {
  const [size, load] = [5, 4];

  it("are overestimated when all take equally long (M/D/c): the advice is on the safe side", () => {
    expect(
      quantileOf(
        simulate(size, load, () => 1),
        0.95,
      ),
    ).toBeLessThan(0.8 * waitQuantile(size, load, 0.05));
  });

  it("are underestimated when a few take very long (hyperexponential, coefficient of variation 2)", () => {
    // One in ten takes 5.5 times as long as the mean.
    const mixed = (random: () => number) => exponential(random, random() < 0.1 ? 5.5 : 0.5);
    expect(quantileOf(simulate(size, load, mixed), 0.95)).toBeGreaterThan(
      1.2 * waitQuantile(size, load, 0.05),
    );
  });
});

describe("at the edges", () => {
  it("a load no less than the size waits for ever, and every request waits", () => {
    for (const load of [3, 3.5, 1e6]) {
      expect([erlangC(3, load), waitQuantile(3, load, 0.05)]).toEqual([1, Number.POSITIVE_INFINITY]);
    }
  });

  it("no load waits for nothing", () => {
    expect([erlangC(1, 0), waitQuantile(1, 0, 0.05), smallestSize(0, 0.1, 0.05, 10)]).toEqual([0, 0, 1]);
  });

  it("sizes and loads in the thousands neither overflow nor lose the number", () => {
    expect(erlangC(1000, 999)).toBeGreaterThan(0.9);
    expect(erlangC(1000, 500)).toBeLessThan(1e-60);
    expect(smallestSize(900, 0.1, 0.05, 1000)).toBeLessThan(960);
    expect(smallestSize(2000, 0.1, 0.05, 1000)).toBeUndefined();
  });

  it.each([1, 2, 10, 100, 1000])("the largest load of %i connections is just within the target", (size) => {
    const load = largestLoad(size, 0.2, 0.05);
    expect(waitQuantile(size, load, 0.05)).toBeLessThanOrEqual(0.2);
    expect(waitQuantile(size, load + 1e-5 * size, 0.05)).toBeGreaterThan(0.2);
    expect(smallestSize(load, 0.2, 0.05, 1000)).toBe(size);
  });
});

/** Waits of 300,000 requests served in their order by `size` connections. Times in mean holds. */
function simulate(size: number, load: number, hold: (random: () => number) => number): number[] {
  const random = seeded(7);
  const freeAt = new Array<number>(size).fill(0);
  const waits: number[] = [];
  let now = 0;
  for (let request = -10_000; request < 300_000; request++) {
    now += exponential(random, 1 / load);
    const next = freeAt.indexOf(Math.min(...freeAt));
    const start = Math.max(now, freeAt[next] as number);
    freeAt[next] = start + hold(random);
    if (request >= 0) waits.push(start - now);
  }
  return waits;
}
