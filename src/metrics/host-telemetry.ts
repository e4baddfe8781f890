import type { Attributes, Histogram, Meter } from "@opentelemetry/api";
import type { CollectionResult, ResourceMetrics } from "@opentelemetry/sdk-metrics";
import type { Logger } from "../logger.ts";
import type { MetricReaderLike } from "../options.ts";
import type { HostSettings } from "../settings.ts";
import { VERSION } from "../version.ts";
import { NO_STATE } from "../watch/pool-state.ts";
import type { PoolRegistry } from "../watch/registry.ts";
import type { PoolRecorders } from "../watch/watch-tools.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";
import { CollectedPools } from "./collected-pools.ts";
import type { DoubleCounting } from "./double-counting.ts";
import { isRecordable, type Recorder } from "./histogram.ts";
import { HistogramWindows } from "./histogram-windows.ts";
import { PoolInstruments } from "./instruments.ts";
import { textOfCollection } from "./prometheus-text.ts";
import { ScopeInstruments } from "./scope-instruments.ts";
import type { DeliveryCounts } from "./scope-numbers.ts";
import { type HistogramName, METER_NAME, METRICS, QUERY_TIMES } from "./semconv.ts";
import type { PoolMetrics, Telemetry } from "./telemetry.ts";

/**
 * A guest of the application's MeterProvider: ordinary instruments, read through a reader the application already has.
 * Provider and reader stay the application's: they are never shut down from here.
 */
export class HostTelemetry implements Telemetry {
  readonly #meter: Meter;
  readonly #provider: object;
  readonly #reader: MetricReaderLike;
  readonly #instruments: PoolInstruments;
  #scopeInstruments: ScopeInstruments | undefined;
  readonly #histograms = new Map<HistogramName, Histogram>();
  readonly #logger: Logger;
  readonly #doubleCounting: DoubleCounting;
  readonly #registry: PoolRegistry;
  readonly #timeoutMillis: number;
  #collecting: Promise<ResourceMetrics> | undefined;
  #hasComplained = false;

  constructor(
    registry: PoolRegistry,
    { meterProvider: provider, reader }: HostSettings,
    timeoutMillis: number,
    queryBuckets: readonly number[] | undefined,
    logger: Logger,
    doubleCounting: DoubleCounting,
  ) {
    this.#registry = registry;
    this.#timeoutMillis = timeoutMillis;
    this.#logger = logger;
    this.#doubleCounting = doubleCounting;
    const meter = provider.getMeter(METER_NAME, VERSION);
    this.#provider = provider;
    this.#meter = meter;
    this.#reader = reader;
    this.#instruments = new PoolInstruments(meter, registry);
    for (const [key, spec] of Object.entries(METRICS)) {
      if (!("boundaries" in spec)) continue;
      const { name, unit, description } = spec;
      const boundaries = (QUERY_TIMES.includes(key) && queryBuckets) || spec.boundaries;
      const advice = { explicitBucketBoundaries: [...boundaries] };
      const histogram = meter.createHistogram(name, { unit, description, advice });
      this.#histograms.set(key as HistogramName, histogram);
    }
  }

  recorders(attributes: Attributes): PoolRecorders {
    const windows = new HistogramWindows();
    const make = (metric: HistogramName, labels: Attributes): Recorder => {
      const histogram = this.#histograms.get(metric);
      const all = { ...attributes, ...labels };
      return windows.over(metric, {
        record: (value) => {
          if (!isRecordable(value)) return;
          try {
            histogram?.record(value, all);
          } catch (error) {
            this.#complain(error);
          }
        },
      });
    };
    return {
      windows,
      wait: make("waitTime", {}),
      use: make("useTime", {}),
      create: make("createTime", {}),
      reuse: make("reuse", {}),
      make,
    };
  }

  observeNotifiers(notifiers: readonly DeliveryCounts[]): void {
    this.#scopeInstruments = new ScopeInstruments(this.#meter, notifiers);
  }

  async look<T>(tell: (pool: WatchedPool, metrics: PoolMetrics) => T): Promise<T[]> {
    const points = new CollectedPools(await this.#collect());
    return this.#registry
      .all()
      .filter(({ name }) => points.has(name))
      .map((pool) => tell(pool, points.of(pool.name, this.#instruments.states.get(pool) ?? NO_STATE)));
  }

  async prometheusText(): Promise<Iterable<Buffer>> {
    return textOfCollection(await this.#collect());
  }

  /** Calls that come while one is under way share it. */
  #collect(): Promise<ResourceMetrics> {
    this.#collecting ??= withTimeout(this.#collectOnce(), this.#timeoutMillis).finally(() => {
      this.#collecting = undefined;
    });
    return this.#collecting;
  }

  /** Errors may come from callbacks of the application. Ours are fresh when our callback ran to its end. */
  async #collectOnce(): Promise<ResourceMetrics> {
    const before = this.#instruments.observations;
    const { resourceMetrics, errors } = (await this.#reader.collect({
      timeoutMillis: this.#timeoutMillis,
    })) as CollectionResult;
    this.#doubleCounting.look(resourceMetrics);
    if (this.#instruments.observations === before) {
      throw errors[0] ?? new Error("the collection was not complete");
    }
    return resourceMetrics;
  }

  /** The instruments are the application's provider's: when they throw, its queries must not. */
  #complain(error: unknown): void {
    if (this.#hasComplained) return;
    this.#hasComplained = true;
    const reason = error instanceof Error ? error.message : String(error);
    this.#logger.error(`poolscope - the meter provider failed to record, times will be missing: ${reason}`);
  }

  /** A wrapper around a provider may offer no more than `getMeter`: then the one reader that is known is flushed. */
  async flush(timeoutMillis: number): Promise<void> {
    for (const part of [this.#provider, this.#reader] as readonly Flushable[]) {
      if (typeof part.forceFlush === "function") {
        await part.forceFlush({ timeoutMillis });
        return;
      }
    }
    throw new NotFlushable("neither meterProvider nor reader has forceFlush()");
  }

  async shutdown(): Promise<void> {
    this.#instruments.remove();
    this.#scopeInstruments?.remove();
  }
}

/** What providers and readers of the SDK have beyond the API. */
interface Flushable {
  forceFlush?(options: { timeoutMillis: number }): Promise<void>;
}

class NotFlushable extends Error {}

/** The SDK's own timeout does not cover producers, nor a reader that hangs: this one covers everything. */
async function withTimeout<T>(promise: Promise<T>, timeoutMillis: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMillis} ms`)), timeoutMillis);
    timer.unref();
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
