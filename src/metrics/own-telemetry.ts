import type { Attributes } from "@opentelemetry/api";
import {
  defaultResource,
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from "@opentelemetry/resources";
import {
  AggregationTemporality,
  type CollectionResult,
  InstrumentType,
  MeterProvider,
  MetricReader,
} from "@opentelemetry/sdk-metrics";
import type { Logger } from "../logger.ts";
import { VERSION } from "../version.ts";
import type { PoolState } from "../watch/pool-state.ts";
import type { PoolRegistry } from "../watch/registry.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";
import { PoolInstruments } from "./instruments.ts";
import { otlpReader } from "./otlp.ts";
import type { OtlpSettings } from "./otlp-settings.ts";
import { PoolHistograms } from "./pool-histograms.ts";
import { HistogramProducer } from "./producer.ts";
import { type DeliveryCounts, ScopeInstruments } from "./scope-instruments.ts";
import { METER_NAME } from "./semconv.ts";
import type { Telemetry } from "./telemetry.ts";

/** Reads when asked. Never sends, never serves. */
class PullReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/**
 * A private MeterProvider: nothing global, and no reader added to the application's own provider, where it would make
 * every instrument of the application dearer.
 */
export class OwnTelemetry implements Telemetry {
  readonly #provider: MeterProvider;
  readonly #reader: MetricReader;
  readonly #instruments: PoolInstruments;
  readonly #queryBuckets: readonly number[] | undefined;

  constructor(
    registry: PoolRegistry,
    serviceName: string | undefined,
    otlp: OtlpSettings | undefined,
    queryBuckets: readonly number[] | undefined,
    logger: Logger,
  ) {
    this.#queryBuckets = queryBuckets;
    const cumulative = () => AggregationTemporality.CUMULATIVE;
    this.#reader = new PullReader({ metricProducers: [new HistogramProducer(registry, cumulative)] });
    const readers = [this.#reader];
    if (otlp) {
      // The producer is asked for at collections only, when the reader it goes into exists.
      const producer: HistogramProducer = new HistogramProducer(registry, () =>
        push.selectAggregationTemporality(InstrumentType.HISTOGRAM),
      );
      const push = otlpReader(otlp, producer, logger);
      readers.push(push);
    }
    this.#provider = new MeterProvider({ resource: ownResource(serviceName), readers });
    this.#instruments = new PoolInstruments(this.#provider.getMeter(METER_NAME, VERSION), registry);
  }

  get observations(): number {
    return this.#instruments.observations;
  }

  state(pool: WatchedPool): PoolState | undefined {
    return this.#instruments.states.get(pool);
  }

  recorders(attributes: Attributes): PoolHistograms {
    return new PoolHistograms(attributes, this.#queryBuckets);
  }

  observeNotifiers(notifiers: readonly DeliveryCounts[]): void {
    new ScopeInstruments(this.#provider.getMeter(METER_NAME, VERSION), notifiers);
  }

  collect(timeoutMillis: number): Promise<CollectionResult> {
    return this.#reader.collect({ timeoutMillis });
  }

  isFresh(result: CollectionResult): boolean {
    return result.errors.length === 0;
  }

  shutdown(timeoutMillis: number): Promise<void> {
    return this.#provider.shutdown({ timeoutMillis });
  }
}

/** SDK defaults, then a random instance id, then `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`, then the option. */
function ownResource(serviceName: string | undefined): Resource {
  return defaultResource()
    .merge(detectResources({ detectors: [serviceInstanceIdDetector] }))
    .merge(detectResources({ detectors: [envDetector] }))
    .merge(resourceFromAttributes(serviceName === undefined ? {} : { "service.name": serviceName }));
}
