import type { Panel } from "@grafana/grafana-foundation-sdk/dashboard";
import { DASHBOARDS } from "../grafana/src/index.ts";
import { SELECTED } from "../grafana/src/queries.ts";

const INTRODUCTION = `<!-- Generated from grafana/src by \`npm run generate\`: do not edit. -->

# Dashboards

Four Grafana dashboards, in \`grafana/dashboards/\` of the repository and of the npm package
(\`node_modules/poolscope/grafana/dashboards/\`). They work for applications that export to a Collector and for a
Prometheus that scrapes \`/metrics\`, which give the same names.

* **With the compose stack** they are there: \`docker compose up\`, then http://localhost:3000.
* **In a Grafana of your own**: *Dashboards → New → Import*, each JSON file; or mount the folder and a provider as in
  \`grafana/provisioning/\`. They are classic JSON, for Grafana 12.4 and 13.1. Set the data source's scrape interval to
  yours (or to the export interval, where that is longer): the windows of all rates follow it.

Above each dashboard are the data source, \`job\` (the service), \`instance\` (the process) and \`pool\`. Two texts are yours to
set: \`max_connections\` of the server on *Fleet*, which no metric tells and which counts where the bundled rules are not
loaded, and \`runbooks\`, the address below which the [runbooks](../prometheus/runbooks/) are served, where a click on a
firing alert leads. Firing alerts are those of the
bundled rules, marked in every chart too.

Ratios are sums divided by sums, of which the largest is shown; nothing is averaged over instances. In the queries below,
\`{…}\` is what the variables select, and \`pool_name\` is short for \`db_client_connection_pool_name\`:

\`\`\`
{${SELECTED}}
\`\`\`

**The pictures are not Grafana's.** They are drawn from what a real Prometheus answered to these very queries while the
demo ran under its load and some faults (\`npm run dashboards:images\`): the data is what Grafana would get, the drawing is
not what it would show. No Grafana runs in the tests. They hold the JSON to the rules of dashboard-linter, every query to
the table of metrics, and a run of the demo to data in every panel.
`;

export async function dashboardsPage(): Promise<string> {
  const sections = DASHBOARDS.map((make) => {
    const { uid, title = "", description = "", panels = [] } = make();
    return `## ${title.replace("Poolscope / ", "")}

${description} \`/d/${uid}\`

![Data of the dashboard, drawn from Prometheus' answers; not Grafana's rendering](images/${uid}.svg)

| Panel | What it answers | Queries |
|---|---|---|
${panels.map((panel) => row(panel as Panel)).join("\n")}
`;
  });
  return [INTRODUCTION, ...sections].join("\n");
}

function row({ type, title = "", description = "", targets = [] }: Panel): string {
  if (type === "row") return `| **${title}** | | |`;
  const queries = targets.map((target) => `\`${shortened((target as { expr?: string }).expr ?? "")}\``);
  return `| ${[title, description, queries.join("<br>")].map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

/** The selection is the same everywhere, and longer than the rest. */
function shortened(query: string): string {
  const ofOnePool = SELECTED.replace('=~"$pool"', '="$pool"');
  const text = [SELECTED, ofOnePool].reduce((all, selected) => all.replaceAll(`{${selected}`, "{…"), query);
  return text.replaceAll("db_client_connection_pool_name", "pool_name");
}
