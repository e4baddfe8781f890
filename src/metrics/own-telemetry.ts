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
  MeterProvider,
  MetricReader,
} from "@opentelemetry/sdk-metrics";
import type { Logger } from "../logger.ts";
import { VERSION } from "../version.ts";
import type { PoolState } from "../watch/pool-state.ts";
import type { PoolRegistry } from "../watch/registry.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";
import { otlpReader } from "./otlp.ts";
import type { OtlpSettings } from "./otlp-settings.ts";
import { PoolHistograms } from "./pool-histograms.ts";
import { PoolProducer } from "./producer.ts";
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
  readonly #producer: PoolProducer;
  readonly #queryBuckets: readonly number[] | undefined;

  constructor(
    registry: PoolRegistry,
    serviceName: string | undefined,
    otlp: OtlpSettings | undefined,
    queryBuckets: readonly number[] | undefined,
    logger: Logger,
  ) {
    this.#queryBuckets = queryBuckets;
    this.#producer = new PoolProducer(registry, () => AggregationTemporality.CUMULATIVE);
    this.#reader = new PullReader({ metricProducers: [this.#producer] });
    const readers = [this.#reader];
    if (otlp) {
      // The producer asks at collections only, when the reader it goes into exists.
      const producer: PoolProducer = new PoolProducer(registry, (type) =>
        push.selectAggregationTemporality(type),
      );
      const push = otlpReader(otlp, producer, logger);
      readers.push(push);
    }
    this.#provider = new MeterProvider({ resource: ownResource(serviceName), readers });
  }

  state(pool: WatchedPool): PoolState | undefined {
    return this.#producer.states.get(pool);
  }

  recorders(attributes: Attributes): PoolHistograms {
    return new PoolHistograms(attributes, this.#queryBuckets);
  }

  observeNotifiers(notifiers: readonly DeliveryCounts[]): void {
    new ScopeInstruments(this.#provider.getMeter(METER_NAME, VERSION), notifiers);
  }

  async collect(timeoutMillis: number): Promise<CollectionResult> {
    const result = await this.#reader.collect({ timeoutMillis });
    if (result.errors.length > 0) throw result.errors[0];
    return result;
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
