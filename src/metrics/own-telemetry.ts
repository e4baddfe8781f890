import type { Attributes } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { MeterProvider } from "@opentelemetry/sdk-metrics";
import { errorClass, errorMessage } from "../error-type.ts";
import type { Logger } from "../logger.ts";
import type { PoolRegistry } from "../watch/registry.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";
import type { SelectTemporality } from "./collected.ts";
import { firstLine } from "./otlp-failure.ts";
import type { OtlpSettings } from "./otlp-settings.ts";
import { PoolHistograms } from "./pool-histograms.ts";
import { PoolLooks } from "./pool-looks.ts";
import { Producer } from "./producer.ts";
import { textOfPools } from "./prometheus-text.ts";
import { type DeliveryCounts, ScopeNumbers } from "./scope-numbers.ts";
import { CUMULATIVE } from "./sdk-values.ts";
import type { PoolMetrics, Telemetry } from "./telemetry.ts";

/**
 * Metrics of poolscope's own: nothing global, and no reader added to the application's provider, where it would make
 * every instrument of the application dearer. What is read here comes from the pools without a detour; OpenTelemetry's SDK
 * is loaded, in its own time, when something is to be pushed, and its resources at the first scrape.
 */
export class OwnTelemetry implements Telemetry {
  readonly #looks: PoolLooks;
  readonly #scope = new ScopeNumbers();
  readonly #queryBuckets: readonly number[] | undefined;
  readonly #serviceName: string | undefined;
  #resource: Promise<Resource> | undefined;
  readonly #push: Promise<MeterProvider | undefined> | undefined;

  constructor(
    registry: PoolRegistry,
    serviceName: string | undefined,
    otlp: OtlpSettings | undefined,
    queryBuckets: readonly number[] | undefined,
    logger: Logger,
  ) {
    this.#serviceName = serviceName;
    this.#queryBuckets = queryBuckets;
    this.#looks = new PoolLooks(registry);
    if (otlp) this.#push = this.#startPushing(registry, otlp, logger);
  }

  /** Never rejects: an application whose numbers are not pushed goes on. */
  async #startPushing(
    registry: PoolRegistry,
    otlp: OtlpSettings,
    logger: Logger,
  ): Promise<MeterProvider | undefined> {
    let select: SelectTemporality = () => CUMULATIVE;
    // Now, so that it owes its reader the pools that end before the SDK is there.
    const producer = new Producer(registry, this.#scope, (type) => select(type));
    try {
      const { otlpProvider } = await import("./otlp.ts");
      const { provider, reader } = otlpProvider(otlp, producer, await this.#ownResource(), logger);
      select = (type) => reader.selectAggregationTemporality(type);
      return provider;
    } catch (error) {
      const reason = firstLine(errorMessage(error) ?? errorClass(error));
      logger.error(`poolscope - nothing is pushed, the exporter could not be started: ${reason}`);
      return undefined;
    }
  }

  #ownResource(): Promise<Resource> {
    this.#resource ??= import("./own-resource.ts").then(({ ownResource }) => ownResource(this.#serviceName));
    return this.#resource;
  }

  recorders(attributes: Attributes): PoolHistograms {
    return new PoolHistograms(attributes, this.#queryBuckets);
  }

  observeNotifiers(notifiers: readonly DeliveryCounts[]): void {
    this.#scope.add(notifiers);
  }

  async look<T>(tell: (pool: WatchedPool, metrics: PoolMetrics) => T): Promise<T[]> {
    const told: T[] = [];
    for (const look of this.#looks.take()) if (look.pool) told.push(tell(look.pool, look));
    return told;
  }

  async prometheusText(): Promise<Iterable<Buffer>> {
    const resource = await this.#ownResource();
    return textOfPools(resource.attributes, [...this.#looks.take()], this.#scope);
  }

  /** A failed export is logged by the exporter. */
  async flush(timeoutMillis: number): Promise<void> {
    await (await this.#push)?.forceFlush({ timeoutMillis });
  }

  async shutdown(timeoutMillis: number): Promise<void> {
    await (await this.#push)?.shutdown({ timeoutMillis });
  }
}
