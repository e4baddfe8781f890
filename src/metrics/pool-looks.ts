import type { Attributes, HrTime } from "@opentelemetry/api";
import type { PoolCounts } from "../watch/pool-counts.ts";
import { NO_STATE, type PoolState } from "../watch/pool-state.ts";
import type { PoolRegistry } from "../watch/registry.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";
import type { BucketHistogram } from "./histogram.ts";
import type { PoolHistograms } from "./pool-histograms.ts";
import { NUMBERS, type Told } from "./pool-numbers.ts";
import { type HistogramName, METRICS, type ObservableName } from "./semconv.ts";
import { SeriesAttributes } from "./series-attributes.ts";
import type { PoolMetrics } from "./telemetry.ts";

/** All metrics of pools, in the order in which they are told. */
export const METRIC_NAMES = Object.keys(METRICS) as readonly (ObservableName | HistogramName)[];

export function isHistogram(metric: ObservableName | HistogramName): metric is HistogramName {
  return METRICS[metric].kind === "histogram";
}

export const OBSERVABLES: readonly ObservableName[] = METRIC_NAMES.filter(
  (metric) => !isHistogram(metric),
) as ObservableName[];

/** One pool for one reader of metrics. */
interface Tracked {
  readonly pool: WeakRef<WatchedPool>;
  readonly since: HrTime;
  readonly attributes: SeriesAttributes;
  /** When it was seen that the pool is over. */
  overSince: number | undefined;
}

/**
 * What a pool is doing at one moment, as its metrics tell it. To be read at once: what it has counted is not copied, and
 * goes on.
 */
export class PoolLook implements PoolMetrics {
  /** Undefined: the pool is over. */
  readonly pool: WatchedPool | undefined;
  readonly counts: PoolCounts;
  readonly state: PoolState;
  /** When the first of its numbers could have been told. */
  readonly since: HrTime;
  readonly #attributes: SeriesAttributes;

  constructor(pool: WatchedPool | undefined, counts: PoolCounts, { since, attributes }: Tracked) {
    this.pool = pool;
    this.counts = counts;
    // What a pool that is over does is nothing; what it has counted stays.
    this.state = pool?.state() ?? NO_STATE;
    pool?.refresh();
    this.since = since;
    this.#attributes = attributes;
  }

  eachNumber(metric: ObservableName, say: (value: number, attributes: Attributes) => void): void {
    const told = this.#told(metric);
    if (typeof told === "number") say(told, this.#attributes.of(metric));
    else if (told) for (const [label, value] of told) say(value, this.#attributes.of(metric, label));
  }

  /** Of metrics that live in plain numbers, see {@link PoolHistograms}. */
  eachHistogram(
    metric: HistogramName,
    say: (histogram: BucketHistogram, attributes: Attributes) => void,
  ): void {
    for (const series of (this.counts.recorders as PoolHistograms).series) {
      if (series.metric === metric) say(series.histogram, series.attributes);
    }
  }

  has(metric: ObservableName): boolean {
    return this.#told(metric) !== undefined;
  }

  value(metric: ObservableName, label?: string): number {
    const told = this.#told(metric);
    if (typeof told === "number") return told;
    for (const [name, value] of told ?? []) if (name === label) return value;
    return 0;
  }

  byLabel(metric: ObservableName): Iterable<readonly [label: string, value: number]> {
    const told = this.#told(metric);
    return typeof told === "object" ? told : [];
  }

  #told(metric: ObservableName): Told {
    return NUMBERS[metric](this.state, this.counts);
  }
}

/**
 * For how long the last numbers of a pool that is over are told: a scrape every minute by two servers, or an export that
 * fails at first, does not miss them.
 */
const LAST_WORD_MILLIS = 5 * 60_000;
/** Of no more pools that were collected as garbage than this, the youngest: 5 KB each. */
const MAX_GONE = 200;

/**
 * The pools one reader of metrics still owes something: those under watch, and those that are over but not for long. So
 * nothing counted before the end is lost, and nothing is told for ever after it. Pools are not kept by it, only what they
 * have counted.
 */
export class PoolLooks {
  readonly #registry: PoolRegistry;
  readonly #pools = new Map<PoolCounts, Tracked>();
  /** Of pools that were collected, in that order: where they come and go faster than readers read, the oldest leave. */
  readonly #gone = new Set<PoolCounts>();

  constructor(registry: PoolRegistry) {
    this.#registry = registry;
    const track = (pool: WatchedPool) => {
      const attributes = new SeriesAttributes(pool.attributes);
      this.#pools.set(pool.counts, {
        pool: new WeakRef(pool),
        since: hrTime(),
        attributes,
        overSince: undefined,
      });
    };
    for (const pool of registry.all()) track(pool);
    registry.onAdd(track);
    registry.onGone((counts) => this.#isGone(counts));
  }

  /** Each pool once, in the order they were watched, those that are over as such. */
  *take(): Generator<PoolLook> {
    this.#registry.sweep();
    const at = performance.now();
    let names: ReadonlySet<string> | undefined;
    for (const [counts, tracked] of this.#pools) {
      const pool = tracked.pool.deref();
      const isOver = !pool || pool.isOver;
      if (isOver) {
        names ??= this.#namesUnderWatch();
        tracked.overSince ??= at;
        // A successor of the same name speaks for both: one series can have only one value.
        if (names.has(counts.name) || at - tracked.overSince > LAST_WORD_MILLIS) {
          this.#forget(counts);
          continue;
        }
      }
      yield new PoolLook(isOver ? undefined : pool, counts, tracked);
    }
  }

  #isGone(counts: PoolCounts): void {
    const tracked = this.#pools.get(counts);
    if (!tracked) return;
    tracked.overSince ??= performance.now();
    this.#gone.add(counts);
    const [oldest] = this.#gone;
    if (oldest && this.#gone.size > MAX_GONE) this.#forget(oldest);
  }

  #forget(counts: PoolCounts): void {
    this.#gone.delete(counts);
    this.#pools.delete(counts);
  }

  #namesUnderWatch(): Set<string> {
    return new Set(this.#registry.all().map(({ name }) => name));
  }
}

export function hrTime(): HrTime {
  const millis = Date.now();
  return [Math.trunc(millis / 1000), (millis % 1000) * 1e6];
}
