import type { Attributes } from "@opentelemetry/api";
import { getOrCreate } from "../get-or-create.ts";
import { METRICS, type ObservableName } from "./semconv.ts";

/** The attribute objects of one pool, made once: each collection gives the same ones. */
export class SeriesAttributes {
  readonly #base: Attributes;
  readonly #labelled = new Map<string, Map<string, Attributes>>();

  /** @param base Of the pool */
  constructor(base: Attributes) {
    this.#base = base;
  }

  /** @param label The value of the metric's own attribute, where it has one */
  of(metric: ObservableName, label?: string): Attributes {
    const key = METRICS[metric].attributes?.[0];
    if (key === undefined || label === undefined) return this.#base;
    return this.#labelled.get(key)?.get(label) ?? this.#make(key, label);
  }

  #make(key: string, label: string): Attributes {
    const attributes = withLabels(this.#base, { [key]: label });
    getOrCreate(this.#labelled, key, () => new Map()).set(label, attributes);
    return attributes;
  }
}

/** Not by spread: V8 then gives each of these objects a hidden class of its own, 6 KiB for the fifty of a pool. */
export function withLabels(base: Attributes, labels: Attributes): Attributes {
  return Object.assign({}, base, labels);
}
