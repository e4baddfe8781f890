import {
  defaultResource,
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from "@opentelemetry/resources";

/** SDK defaults, then a random instance id, then `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`, then the option. */
export function ownResource(serviceName: string | undefined): Resource {
  return defaultResource()
    .merge(detectResources({ detectors: [serviceInstanceIdDetector] }))
    .merge(detectResources({ detectors: [envDetector] }))
    .merge(resourceFromAttributes(serviceName === undefined ? {} : { "service.name": serviceName }));
}

/** `OTEL_SERVICE_NAME`, else `service.name` in `OTEL_RESOURCE_ATTRIBUTES`. */
export function serviceNameOfEnvironment(): string | undefined {
  const name = detectResources({ detectors: [envDetector] }).attributes["service.name"];
  return typeof name === "string" ? name : undefined;
}
