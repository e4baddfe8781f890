import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** Starts dd-trace of that major version. Its spans are kept, and what it asks its agent goes to `sinkUrl`. */
export function load(major, sinkUrl) {
  const traces = keepTraces();
  Object.assign(process.env, {
    DD_TRACE_AGENT_URL: sinkUrl,
    DD_TRACE_EXPERIMENTAL_EXPORTER: "log",
    DD_INSTRUMENTATION_TELEMETRY_ENABLED: "false",
    DD_REMOTE_CONFIGURATION_ENABLED: "false",
    DD_CRASHTRACKING_ENABLED: "false",
    DD_TRACE_STARTUP_LOGS: "false",
  });
  const tracer = require(`dd-trace-${major}`).init({ service: "suite", startupLogs: false });
  return {
    inSpan: (run) => tracer.trace("suite", run),
    spans: () => traces.map(({ name, resource, error }) => `${name}: ${resource}${error ? " failed" : ""}`),
  };
}

/** dd-trace's log exporter prints each finished trace as a line of JSON. */
function keepTraces() {
  const spans = [];
  const { write } = process.stdout;
  process.stdout.write = function (text, ...rest) {
    if (!String(text).startsWith('{"traces":')) return write.call(this, text, ...rest);
    for (const trace of JSON.parse(text).traces) spans.push(...trace);
    return true;
  };
  return spans;
}
