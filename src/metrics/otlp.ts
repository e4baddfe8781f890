import type { Resource } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  InstrumentType,
  MeterProvider,
  type MetricProducer,
  type MetricReader,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import { detach } from "../detached.ts";
import type { Logger } from "../logger.ts";
import type { OtlpTemporality } from "../options.ts";
import { ExporterNotLoaded, exportFailure } from "./otlp-failure.ts";
import type { OtlpSettings } from "./otlp-settings.ts";

/** Pushes to an OTLP/HTTP endpoint (protobuf) at an interval, by OpenTelemetry's own provider, reader and exporter. */
export function otlpProvider(
  settings: OtlpSettings,
  producer: MetricProducer,
  resource: Resource,
  logger: Logger,
): { readonly provider: MeterProvider; readonly reader: MetricReader } {
  const { exportIntervalMillis, exportTimeoutMillis } = settings;
  const reader = new PeriodicExportingMetricReader({
    exporter: new LazyOtlpExporter(settings, logger),
    metricProducers: [producer],
    exportIntervalMillis,
    exportTimeoutMillis: Math.min(exportTimeoutMillis, exportIntervalMillis),
  });
  return { provider: new MeterProvider({ resource, readers: [reader] }), reader };
}

// ExportResultCode of @opentelemetry/core, which is not worth a dependency.
const SUCCESS = 0;
const FAILED = 1;

/** Loads OpenTelemetry's exporter at the first export: applications that do not push do not pay for it. */
class LazyOtlpExporter implements PushMetricExporter {
  readonly #settings: OtlpSettings;
  readonly #logger: Logger;
  #exporter: Promise<PushMetricExporter> | undefined;
  #isFailing = false;

  constructor(settings: OtlpSettings, logger: Logger) {
    this.#settings = settings;
    this.#logger = logger;
  }

  export(metrics: ResourceMetrics, done: Parameters<PushMetricExporter["export"]>[1]): void {
    const push = async () => {
      const exporter = await this.#load();
      exporter.export(metrics, (result) => {
        this.#report(result.code === SUCCESS ? undefined : (result.error ?? new Error("no reason given")));
        done(result);
      });
    };
    detach(push, (error) => {
      this.#report(error);
      done({ code: FAILED, error: error as Error });
    });
  }

  async forceFlush(): Promise<void> {
    await (await this.#loaded())?.forceFlush();
  }

  async shutdown(): Promise<void> {
    await (await this.#loaded())?.shutdown();
  }

  selectAggregationTemporality(type: InstrumentType): AggregationTemporality {
    return isDelta(this.#settings.temporality, type)
      ? AggregationTemporality.DELTA
      : AggregationTemporality.CUMULATIVE;
  }

  #load(): Promise<PushMetricExporter> {
    this.#exporter ??= import("@opentelemetry/exporter-metrics-otlp-proto").then(
      // What is not given here the exporter takes from OTEL_EXPORTER_OTLP_*.
      ({ OTLPMetricExporter }) => new OTLPMetricExporter(this.#settings.exporter) as PushMetricExporter,
      (error) => {
        throw new ExporterNotLoaded(error);
      },
    );
    return this.#exporter;
  }

  /** Undefined where loading failed, which the export has reported. */
  async #loaded(): Promise<PushMetricExporter | undefined> {
    return this.#exporter?.catch(() => undefined);
  }

  /** Logs once that exporting fails and once that it works again. */
  #report(error: unknown): void {
    if (error instanceof ExporterNotLoaded && !this.#isFailing) {
      this.#logger.error(
        `poolscope - nothing is pushed, OpenTelemetry's OTLP exporter could not be loaded: ${error.message}; ` +
          "install versions of @opentelemetry/* that fit each other, see Compatibility in poolscope's README",
      );
    } else if (error !== undefined && !this.#isFailing) {
      const { reason, hint } = exportFailure(error);
      this.#logger.warn(
        `poolscope - OTLP export fails (${reason}); cumulative numbers are sent again with the next export; ${hint}`,
      );
    } else if (error === undefined && this.#isFailing) {
      this.#logger.info("poolscope - OTLP export works again");
    }
    this.#isFailing = error !== undefined;
  }
}

/** The three preferences of the OTLP exporter specification. */
function isDelta(temporality: OtlpTemporality, type: InstrumentType): boolean {
  if (temporality === "cumulative") return false;
  const isUpDown =
    type === InstrumentType.UP_DOWN_COUNTER || type === InstrumentType.OBSERVABLE_UP_DOWN_COUNTER;
  if (temporality === "delta") return !isUpDown;
  return type === InstrumentType.COUNTER || type === InstrumentType.HISTOGRAM;
}
