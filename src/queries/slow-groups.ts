import type { SlowQuery } from "../events.ts";

/** Slow queries that differ only in their literals. */
export interface SlowQueryGroup {
  /** The pool's name. */
  readonly pool: string;
  /** The same for the same SQL in every process and release. */
  readonly fingerprint: string;
  /** Literals replaced by `?`. */
  readonly sql: string;
  /** Like `SELECT`. */
  readonly operation?: string;
  /** Executions that took longer than `slowQueryMillis`; the quantiles are of these. */
  readonly count: number;
  readonly p50Seconds: number;
  readonly p95Seconds: number;
  readonly maxSeconds: number;
  /** All executions together. The groups with the most are the worst. */
  readonly totalSeconds: number;
}

const WINDOW_MILLIS = 300_000;
/** Of one window. Beyond it the group with the shortest queries gives way to a slower one. */
const MAX_GROUPS = 200;
/** Durations kept of a group: quantiles are exact up to so many, then of the youngest. */
const MAX_DURATIONS = 256;

/** Slow queries of the running and the last whole window of five minutes, by pool and fingerprint. */
export class SlowGroups {
  readonly #now: () => number;
  #running = new Map<string, Group>();
  #last = new Map<string, Group>();
  #runningSince: number;

  constructor(now: () => number = performance.now.bind(performance)) {
    this.#now = now;
    this.#runningSince = now();
  }

  add(query: SlowQuery): void {
    this.#turn();
    const key = `${query.pool} ${query.fingerprint}`;
    let group = this.#running.get(key);
    if (!group) {
      if (this.#running.size >= MAX_GROUPS && !this.#makeRoom(query.seconds)) return;
      group = { first: query, durations: [], count: 0, total: 0, max: 0 };
      this.#running.set(key, group);
    }
    group.durations[group.count % MAX_DURATIONS] = query.seconds;
    group.count++;
    group.total += query.seconds;
    group.max = Math.max(group.max, query.seconds);
  }

  /** Those with the most time together first. */
  worst(limit: number, pool?: string): SlowQueryGroup[] {
    this.#turn();
    const parts = new Map<string, Group[]>();
    for (const window of [this.#last, this.#running]) {
      for (const [key, group] of window) {
        if (pool === undefined || group.first.pool === pool)
          parts.set(key, [...(parts.get(key) ?? []), group]);
      }
    }
    return [...parts.values()]
      .map(summarize)
      .sort((a, b) => b.totalSeconds - a.totalSeconds)
      .slice(0, limit);
  }

  /** A new pool of an old name has no past. */
  forget(pool: string): void {
    for (const window of [this.#last, this.#running]) {
      for (const [key, { first }] of window) if (first.pool === pool) window.delete(key);
    }
  }

  #turn(): void {
    const elapsed = this.#now() - this.#runningSince;
    if (elapsed < WINDOW_MILLIS) return;
    this.#last = elapsed < 2 * WINDOW_MILLIS ? this.#running : new Map();
    this.#running = new Map();
    this.#runningSince = this.#now();
  }

  /** @returns Whether there is room for a query this slow. */
  #makeRoom(seconds: number): boolean {
    let quickest: [key: string, max: number] | undefined;
    for (const [key, { max }] of this.#running) if (!quickest || max < quickest[1]) quickest = [key, max];
    return quickest !== undefined && quickest[1] < seconds && this.#running.delete(quickest[0]);
  }
}

interface Group {
  readonly first: SlowQuery;
  readonly durations: number[];
  count: number;
  total: number;
  max: number;
}

function summarize(groups: readonly Group[]): SlowQueryGroup {
  const { pool, fingerprint, sql, operation } = (groups[0] as Group).first;
  const durations = groups.flatMap((group) => group.durations).sort((a, b) => a - b);
  /** The smallest duration that so many reach: one that was measured. */
  const quantile = (q: number) => durations[Math.ceil(q * durations.length) - 1] as number;
  return {
    pool,
    fingerprint,
    sql,
    ...(operation !== undefined && { operation }),
    count: groups.reduce((sum, { count }) => sum + count, 0),
    p50Seconds: quantile(0.5),
    p95Seconds: quantile(0.95),
    maxSeconds: Math.max(...groups.map(({ max }) => max)),
    totalSeconds: groups.reduce((sum, { total }) => sum + total, 0),
  };
}
