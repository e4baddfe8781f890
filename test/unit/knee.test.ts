import { describe, expect, test } from "vitest";
import { findKnee } from "../../src/advice/knee.ts";
import { ServerMemory } from "../../src/advice/server-memory.ts";
import { BusyTimes, connectionsOf } from "../../src/queries/busy-times.ts";
import { exponential, seeded } from "../support/random.ts";

type QueryTime = (connections: number) => number;

/** Exponential times around a mean that depends on how many connections were in use. */
function times(
  levels: readonly number[],
  meanOf: QueryTime,
  each = 400,
  length = 20,
  into = new BusyTimes(),
) {
  const random = seeded(3);
  for (const level of levels) {
    for (let query = 0; query < each; query++) into.add(level, length, exponential(random, meanOf(level)));
  }
  return into;
}

const twoCores: QueryTime = (busy) => 0.01 * Math.max(1, busy / 2);
const enoughCores: QueryTime = () => 0.01;
const LEVELS = [1, 2, 3, 4, 6, 8, 12, 16];

describe("the knee of a server", () => {
  test("is found where more connections make queries slower by as much", () => {
    const found = findKnee(times(LEVELS, twoCores).take());
    expect(found?.knee.connections).toBeGreaterThanOrEqual(2);
    expect(found?.knee.connections).toBeLessThanOrEqual(3);
    expect(found?.beyond.connections).toBeGreaterThanOrEqual(1.5 * (found?.knee.connections ?? 0));
    expect(found?.knee.queriesPerSecond).toBeCloseTo(200, -2);
    expect(found?.beyond.queriesPerSecond).toBeCloseTo(200, -2);
  });

  test("is found at the fewest connections seen when all of them are too many", () => {
    expect(findKnee(times([8, 16], twoCores).take())?.knee.connections).toBe(8);
  });

  test("is not found while more connections carry more queries", () => {
    expect(findKnee(times(LEVELS, enoughCores).take())).toBeUndefined();
    expect(findKnee(times([1, 2], twoCores).take())).toBeUndefined();
  });

  test("is not found when the load never varied", () => {
    expect(findKnee(times([16], twoCores).take())).toBeUndefined();
  });

  test("is not found in a handful of queries", () => {
    expect(findKnee(times(LEVELS, twoCores, 20).take())).toBeUndefined();
  });

  test("is not seen in slow statements that come with many connections", () => {
    const mixed = times([1, 2, 3, 4, 8], enoughCores, 400, 20);
    times([6, 8, 12], () => 2, 400, 90, mixed);
    expect(findKnee(mixed.take())).toBeUndefined();
  });

  test("is forgotten when the load has not varied for long", () => {
    const memory = new ServerMemory();
    memory.add(times(LEVELS, twoCores).take());
    expect(memory.knee).toBeDefined();
    for (let sample = 0; sample < 600; sample++) memory.add(times([2], twoCores, 5).take());
    expect(memory.knee).toBeUndefined();
  });
});

test("groups of connections grow with their number", () => {
  const busy = new BusyTimes();
  for (let connections = 0; connections <= 100; connections++) busy.add(connections, 1, 1);
  const [groups = []] = [...busy.take().values()];
  const seen = groups.filter((_, at) => at % 2 === 0).map((count, group) => [connectionsOf(group), count]);
  expect(seen.slice(13, 19)).toEqual([
    [14, 1],
    [15, 1],
    [16, 4],
    [20, 4],
    [24, 4],
    [28, 4],
  ]);
  expect(seen.reduce((sum, [, count]) => sum + (count ?? 0), 0)).toBe(100);
});

test("query times take bounded room whatever the statements", () => {
  const busy = new BusyTimes();
  const memory = new ServerMemory();
  for (let length = 0; length < 1000; length++) busy.add(100_000, length, 1);
  const taken = busy.take();
  expect(taken.size).toBeLessThanOrEqual(12);
  for (const groups of taken.values()) expect(groups.length).toBeLessThan(200);
  memory.add(taken);
  expect(busy.take().size).toBe(0);
});
