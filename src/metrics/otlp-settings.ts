import { integerOption, objectOption } from "../check.ts";
import { expected, expectedSecret } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { OtlpOptions, OtlpTemporality } from "../options.ts";
import { otlpEnvironment, wantsOtlp } from "./otlp-environment.ts";

/** How to push, from the option `otlp` and the environment. */
export interface OtlpSettings {
  readonly exportIntervalMillis: number;
  readonly exportTimeoutMillis: number;
  readonly temporality: OtlpTemporality;
  /** Given to OpenTelemetry's exporter as it is; what is missing it takes from the environment. */
  readonly exporter: { readonly url?: string; readonly headers?: Record<string, string> };
}

/** Undefined: no push. */
export function resolveOtlp(
  given: unknown,
  hasHost: boolean,
  logger: Logger,
  environment: NodeJS.ProcessEnv,
): OtlpSettings | undefined {
  if (given === false) return undefined;
  if (hasHost) {
    if (given === undefined) return undefined;
    throw expectedSecret("otlp", "left out, because `meterProvider` has exporters of its own", given);
  }
  if (given === undefined && !wantsOtlp(environment, logger)) return undefined;
  const options = objectOption<OtlpOptions>("otlp", given === true ? undefined : given, [
    "url",
    "headers",
    "exportIntervalMillis",
    "exportTimeoutMillis",
    "temporality",
  ]);
  const fallback = otlpEnvironment(environment, options.url !== undefined, logger);
  const { temporality = fallback.temporality } = options;
  if (!["cumulative", "delta", "lowmemory"].includes(temporality)) {
    throw expected("otlp.temporality", '"cumulative", "delta" or "lowmemory"', temporality);
  }
  const millis = (key: "exportIntervalMillis" | "exportTimeoutMillis") =>
    integerOption(`otlp.${key}`, options[key], fallback[key], { min: 1 });
  return {
    exportIntervalMillis: millis("exportIntervalMillis"),
    exportTimeoutMillis: millis("exportTimeoutMillis"),
    temporality,
    exporter: {
      ...(options.url !== undefined && { url: httpUrl(options.url) }),
      ...(options.headers !== undefined && { headers: headers(options.headers) }),
    },
  };
}

// URLs and headers may carry credentials: errors about them do not show what was given.

function httpUrl(url: unknown): string {
  if (typeof url === "string" && URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
  throw expectedSecret("otlp.url", "an http:// or https:// URL", url);
}

function headers(given: unknown): Record<string, string> {
  const isObject = typeof given === "object" && given !== null && !Array.isArray(given);
  if (isObject && Object.values(given).every((value) => typeof value === "string")) {
    return { ...(given as Record<string, string>) };
  }
  throw expectedSecret("otlp.headers", "an object of strings", given);
}
