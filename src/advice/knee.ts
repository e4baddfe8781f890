import { connectionsOf, type GroupTimes, type KindTimes } from "../queries/busy-times.ts";

/** What the server did with so many connections in use. */
export interface ServerPace {
  /** In use when the queries began. */
  readonly connections: number;
  readonly meanQuerySeconds: number;
  /** `connections / meanQuerySeconds`: what so many connections would carry, each of them always at work. */
  readonly queriesPerSecond: number;
}

/** Where more connections stop to carry more queries. */
export interface Knee {
  /** The fewest connections that carry within a tenth of the most that was seen. */
  readonly knee: ServerPace;
  /** Half as many again or more, with which queries only took longer. */
  readonly beyond: ServerPace;
}

/** More than so much is more. */
const GAIN = 1.1;
/** How far beyond the knee something has to be known. */
const FAR = 1.5;
/** Queries of the same kinds that both sides of a comparison have. */
const FEWEST_QUERIES = 50;
/** Standard errors: below one in forty. */
const CERTAINTY = 2;

interface Comparison {
  readonly queries: number;
  /** With more connections to fewer: how many times the queries a second. */
  readonly gain: number;
  /** Of the logarithm of `gain`, where query times vary like exponential ones. */
  readonly error: number;
  readonly fewer: ServerPace;
  readonly more: ServerPace;
}

/** Undefined where queries did not begin with different numbers of connections in use, or more of them carried more. */
export function findKnee(kinds: KindTimes): Knee | undefined {
  const groups = groupsOf(kinds);
  for (const [index, group] of groups.entries()) {
    const comparisons = groups
      .slice(index + 1)
      .map((other) => compare(kinds, group, other))
      .filter(({ queries }) => queries >= FEWEST_QUERIES);
    if (comparisons.some(({ gain }) => gain > GAIN)) continue;
    const certain = comparisons.filter(isCertain).sort((a, b) => b.queries - a.queries)[0];
    if (certain) return Object.freeze({ knee: certain.fewer, beyond: certain.more });
  }
  return undefined;
}

/** That less than half came of it, by ratio, of what connections alone would have brought. */
function isCertain({ gain, error, fewer, more }: Comparison): boolean {
  const ratio = more.connections / fewer.connections;
  return ratio >= FAR && Math.log(gain) + CERTAINTY * error < Math.log(ratio) / 2;
}

/** Those with enough queries, the fewest connections first. */
function groupsOf(kinds: KindTimes): number[] {
  const counts: number[] = [];
  for (const times of kinds.values()) {
    for (let group = 0; group < times.length / 2; group++) {
      counts[group] = (counts[group] ?? 0) + countIn(times, group);
    }
  }
  return [...counts.keys()].filter((group) => (counts[group] ?? 0) >= FEWEST_QUERIES);
}

/** The mean query times of the same kinds of statements in the same shares. */
function compare(kinds: KindTimes, few: number, many: number): Comparison {
  let [queries, fewTime, manyTime, fewVariance, manyVariance] = [0, 0, 0, 0, 0];
  for (const times of kinds.values()) {
    const [fewCount, manyCount] = [countIn(times, few), countIn(times, many)];
    const weight = Math.min(fewCount, manyCount);
    if (weight === 0) continue;
    const fewPart = weight * ((times[2 * few + 1] as number) / fewCount);
    const manyPart = weight * ((times[2 * many + 1] as number) / manyCount);
    queries += weight;
    fewTime += fewPart;
    manyTime += manyPart;
    fewVariance += fewPart ** 2 / fewCount;
    manyVariance += manyPart ** 2 / manyCount;
  }
  const fewer = pace(connectionsOf(few), fewTime / queries);
  const more = pace(connectionsOf(many), manyTime / queries);
  return {
    queries,
    gain: more.queriesPerSecond / fewer.queriesPerSecond,
    error: Math.sqrt(fewVariance / fewTime ** 2 + manyVariance / manyTime ** 2),
    fewer,
    more,
  };
}

function countIn(times: GroupTimes, group: number): number {
  return times[2 * group] ?? 0;
}

function pace(connections: number, meanQuerySeconds: number): ServerPace {
  return Object.freeze({ connections, meanQuerySeconds, queriesPerSecond: connections / meanQuerySeconds });
}
