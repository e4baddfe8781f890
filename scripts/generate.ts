/** Writes the files that are made from others. A test holds the committed ones to them. */
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { performancePage } from "../bench/harness/page.ts";
import { savedResults } from "../bench/harness/results.ts";
import { DASHBOARDS } from "../grafana/src/index.ts";
import { prometheusName } from "../src/metrics/prometheus-lines.ts";
import {
  ATTR_NAMESPACE,
  ATTR_NOTIFIER,
  ATTR_POOL_NAME,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  ATTR_SYSTEM,
  METRICS,
  type MetricSpec,
  OWN_ATTRIBUTES,
  SCOPE_METRICS,
} from "../src/metrics/semconv.ts";
import { apiReport } from "./api-report.ts";
import { dashboardsPage } from "./dashboards-page.ts";
import { sqlStatesPage } from "./sql-states-page.ts";
import { table } from "./table.ts";

/** Paths from the root of the repository, and what makes their content. */
export const GENERATED: Readonly<Record<string, () => Promise<string>>> = {
  "docs/metrics.md": metricsPage,
  "docs/dashboards.md": dashboardsPage,
  "docs/recycling-sqlstates.md": sqlStatesPage,
  "docs/performance.md": async () => performancePage(await savedResults()),
  "etc/poolscope.api.md": apiReport,
  ...dashboardFiles(),
};

const MEANINGS: Readonly<Record<string, string>> = {
  [ATTR_POOL_NAME]:
    "`name` of `watch()`, else the database's name, else the server's address, else `pool`; each only if it looks like one",
  [ATTR_SYSTEM]: "`postgresql`",
  [ATTR_NAMESPACE]: "the database, where it is known and looks like a name",
  [ATTR_SERVER_ADDRESS]: "the host, or the folder of the Unix socket, where it is known and looks like one",
  [ATTR_SERVER_PORT]: "the port, where it is known; absent for a Unix socket",
};

const METRIC_COLUMNS = ["Metric", "In Prometheus", "Instrument", "Unit", "More attributes", "Description"];

function dashboardFiles(): Record<string, () => Promise<string>> {
  const files = DASHBOARDS.map((make) => {
    const dashboard = make();
    const text = `${JSON.stringify(dashboard, null, 2)}\n`;
    return [`grafana/dashboards/${dashboard.uid}.json`, async () => text] as const;
  });
  return Object.fromEntries(files);
}

async function metricsPage(): Promise<string> {
  const specs = Object.values<MetricSpec>(METRICS);
  const histograms = Object.values(METRICS).filter((spec) => "boundaries" in spec);
  return `<!-- Generated from src/metrics/semconv.ts by \`npm run generate\`: do not edit. -->

# Metrics

Every metric of a pool carries these attributes, and those given to \`watch()\` as \`attributes\`:

${table(["Attribute", "Value"], commonAttributes(specs))}

In Prometheus, dots in attribute names are underscores: \`${ATTR_POOL_NAME.replaceAll(".", "_")}\`. The
Prometheus names below are those of \`scope.metrics()\` and of a Collector that adds unit and type suffixes.

${table(METRIC_COLUMNS, await Promise.all(specs.map(metricRow)))}

These are of a scope as a whole and carry no attributes but their own. They are there when it has notifiers, whose
\`name\` is the value of \`${ATTR_NOTIFIER}\`:

${table(
  METRIC_COLUMNS.map((column) => column.replace("More a", "A")),
  await Promise.all(Object.values(SCOPE_METRICS).map(metricRow)),
)}

## Buckets

Upper bounds, inclusive, in seconds. Quantiles of readings and of the health JSON do not come from these buckets: they are
within 5 % of the true ones, whatever the bounds. Those of \`histogram_quantile()\` in Prometheus are as exact as the bounds.

${table(
  ["Histogram", "Bounds"],
  histograms.map(({ name, boundaries }) => [`\`${name}\``, boundaries.join(", ")]),
)}
`;
}

function commonAttributes(specs: readonly MetricSpec[]): string[][] {
  const special = specs.flatMap(({ attributes = [] }) => attributes);
  const common = OWN_ATTRIBUTES.filter((attribute) => !special.includes(attribute));
  return common.map((attribute) => {
    const meaning = MEANINGS[attribute];
    if (meaning === undefined) throw new Error(`Say in MEANINGS what ${attribute} is`);
    return [`\`${attribute}\``, meaning];
  });
}

async function metricRow(spec: MetricSpec): Promise<string[]> {
  const attributes = (spec.attributes ?? []).map((attribute) => `\`${attribute}\``).join(", ");
  const prometheus = prometheusName(spec);
  return [
    `\`${spec.name}\``,
    `\`${prometheus}\``,
    spec.kind,
    `\`${spec.unit}\``,
    attributes,
    spec.description,
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [file, make] of Object.entries(GENERATED)) {
    await writeFile(new URL(`../${file}`, import.meta.url), await make());
    console.log(`wrote ${file}`);
  }
}
