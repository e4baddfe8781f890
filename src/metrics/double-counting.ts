import type { ResourceMetrics } from "@opentelemetry/sdk-metrics";
import type { Logger } from "../logger.ts";
import type { QuerySource } from "../options.ts";
import { INSTRUMENTATION_NAME, METER_NAME, METRICS, POOL_METRICS } from "./semconv.ts";

/** Says once, with the recipe, that the official instrumentation counts the same things into the same provider. */
export class DoubleCounting {
  readonly #logger: Logger;
  readonly #queries: QuerySource;
  #isOver = false;

  constructor(logger: Logger, queries: QuerySource) {
    this.#logger = logger;
    this.#queries = queries;
  }

  /** Cheap until the other scope shows up, and free once it was spoken of. */
  look({ scopeMetrics }: ResourceMetrics): void {
    if (this.#isOver) return;
    const theirs = scopeMetrics.find(({ scope }) => scope.name === INSTRUMENTATION_NAME);
    const ours = theirs && scopeMetrics.find(({ scope }) => scope.name === METER_NAME);
    if (!theirs || !ours) return;
    const twice = [
      has(ours, isOfPools) && has(theirs, isOfPools) && "pools",
      has(ours, isDuration) && has(theirs, isDuration) && "queries",
    ].filter(Boolean);
    if (twice.length === 0) return;
    this.#isOver = true;
    const views = this.#queries === "off" ? 'poolscopeViews({ queries: "off" })' : "poolscopeViews()";
    this.#logger.warn(
      `poolscope - ${twice.join(" and ")} are counted twice in this MeterProvider, by poolscope and by ` +
        `${INSTRUMENTATION_NAME}: make it with { views: [...${views}] }, which drops what the latter counts and keeps ` +
        "its spans",
    );
  }
}

type ScopeMetrics = ResourceMetrics["scopeMetrics"][number];

function has({ metrics }: ScopeMetrics, is: (name: string) => boolean): boolean {
  return metrics.some(({ descriptor, dataPoints }) => dataPoints.length > 0 && is(descriptor.name));
}

function isOfPools(name: string): boolean {
  return name.startsWith(POOL_METRICS);
}

function isDuration(name: string): boolean {
  return name === METRICS.queryDuration.name;
}
