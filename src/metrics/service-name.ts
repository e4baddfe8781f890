import { detectResources, envDetector } from "@opentelemetry/resources";

/** The option, else `OTEL_SERVICE_NAME`, else `service.name` in `OTEL_RESOURCE_ATTRIBUTES`. */
export function serviceName(option: string | undefined): string | undefined {
  const name = option ?? detectResources({ detectors: [envDetector] }).attributes["service.name"];
  return typeof name === "string" ? name : undefined;
}
