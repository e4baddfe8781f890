import { errorClass, errorCode, errorMessage } from "../error-type.ts";

/** The exporter's module cannot be loaded: no push will succeed, whatever the endpoint. */
export class ExporterNotLoaded extends Error {
  constructor(cause: unknown) {
    super(firstLine(errorMessage(cause) ?? errorClass(cause)), { cause });
  }
}

/** Why a push failed, and where to look. Texts of errors about requests may hold the URL, so none of them is shown. */
export function exportFailure(error: unknown): { readonly reason: string; readonly hint: string } {
  const status = (error as { code?: unknown } | null)?.code;
  if (typeof status === "number") return { reason: `answered ${status}`, hint: hintOfStatus(status) };
  const code = errorCode(error);
  // What a gRPC endpoint sends is no HTTP/1.1.
  if (code?.startsWith("HPE_")) return { reason: `${code}: the answer is not HTTP`, hint: HTTP_PORT };
  if (code === "ERR_INVALID_PROTOCOL")
    return { reason: code, hint: `${SOURCES} begins with http:// or https://` };
  if (code !== undefined) return { reason: code, hint: `check ${SOURCES}` };
  return { reason: knownReason(errorMessage(error)) ?? errorClass(error), hint: `check ${SOURCES}` };
}

const SOURCES = "OTEL_EXPORTER_OTLP_ENDPOINT or `otlp.url`";
const HTTP_PORT = `a gRPC endpoint cannot be used: ${SOURCES} has to be one for http/protobuf (port 4318 of a Collector)`;

function hintOfStatus(status: number): string {
  if (status === 401 || status === 403) return "check OTEL_EXPORTER_OTLP_HEADERS or `otlp.headers`";
  if (status === 404 || status === 405)
    return `check the path of ${SOURCES}, which has to end in /v1/metrics`;
  return `check ${SOURCES}`;
}

/** The texts of OpenTelemetry's exporter that come without a code. */
function knownReason(message = ""): string | undefined {
  if (/timed? ?out/i.test(message)) return "no answer in time";
  if (message === "Export failed with retryable status") return "answered 429, 502, 503 or 504";
  if (message === "Concurrent export limit reached") return "earlier exports are still under way";
  return undefined;
}

/** Node adds more lines to what it says of modules. */
export function firstLine(text: string): string {
  return text.split("\n", 1)[0] as string;
}
