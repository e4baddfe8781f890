import type { Attributes, Histogram, Meter, MeterProvider } from "@opentelemetry/api";
import type { CollectionResult } from "@opentelemetry/sdk-metrics";
import type { Logger } from "../logger.ts";
import type { MetricReaderLike } from "../options.ts";
import { VERSION } from "../version.ts";
import type { PoolState } from "../watch/pool-state.ts";
import type { PoolRegistry } from "../watch/registry.ts";
import type { PoolRecorders } from "../watch/watch-tools.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";
import type { DoubleCounting } from "./double-counting.ts";
import type { Recorder } from "./histogram.ts";
import { PoolInstruments } from "./instruments.ts";
import { type DeliveryCounts, ScopeInstruments } from "./scope-instruments.ts";
import { type HistogramName, METER_NAME, METRICS, QUERY_TIMES } from "./semconv.ts";
import type { Telemetry } from "./telemetry.ts";

/**
 * A guest of the application's MeterProvider: ordinary instruments, read through a reader the application already has.
 * Provider and reader stay the application's: they are never shut down from here.
 */
export class HostTelemetry implements Telemetry {
  readonly #meter: Meter;
  readonly #reader: MetricReaderLike;
  readonly #instruments: PoolInstruments;
  #scopeInstruments: ScopeInstruments | undefined;
  readonly #histograms = new Map<HistogramName, Histogram>();
  readonly #logger: Logger;
  readonly #doubleCounting: DoubleCounting;
  #hasComplained = false;

  constructor(
    registry: PoolRegistry,
    provider: MeterProvider,
    reader: MetricReaderLike,
    queryBuckets: readonly number[] | undefined,
    logger: Logger,
    doubleCounting: DoubleCounting,
  ) {
    this.#logger = logger;
    this.#doubleCounting = doubleCounting;
    const meter = provider.getMeter(METER_NAME, VERSION);
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

  state(pool: WatchedPool): PoolState | undefined {
    return this.#instruments.states.get(pool);
  }

  recorders(attributes: Attributes): PoolRecorders {
    const make = (metric: HistogramName, labels: Attributes): Recorder => {
      const histogram = this.#histograms.get(metric);
      const all = { ...attributes, ...labels };
      return {
        record: (value) => {
          try {
            histogram?.record(value, all);
          } catch (error) {
            this.#complain(error);
          }
        },
      };
    };
    return {
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

  /** Errors may come from callbacks of the application. Ours are fresh when our callback ran to its end. */
  async collect(timeoutMillis: number): Promise<CollectionResult> {
    const before = this.#instruments.observations;
    const result = (await this.#reader.collect({ timeoutMillis })) as CollectionResult;
    this.#doubleCounting.look(result.resourceMetrics);
    if (this.#instruments.observations === before) {
      throw result.errors[0] ?? new Error("the collection was not complete");
    }
    return result;
  }

  /** The instruments are the application's provider's: when they throw, its queries must not. */
  #complain(error: unknown): void {
    if (this.#hasComplained) return;
    this.#hasComplained = true;
    const reason = error instanceof Error ? error.message : String(error);
    this.#logger.error(`poolscope - the meter provider failed to record, times will be missing: ${reason}`);
  }

  async shutdown(): Promise<void> {
    this.#instruments.remove();
    this.#scopeInstruments?.remove();
  }
}
