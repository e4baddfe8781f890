import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { prometheusName } from "../../src/metrics/prometheus-lines.ts";
import { METRICS, type MetricSpec, OWN_ATTRIBUTES, SCOPE_METRICS } from "../../src/metrics/semconv.ts";
import { type Finding, lintDashboard, prepare } from "../support/dashboard-lint.ts";
import {
  type DashboardJson,
  type PanelJson,
  panelsOf,
  readDashboards,
  readLabelValues,
} from "../support/dashboards.ts";
import { parsePromql } from "../support/promql.ts";

const dashboards = await readDashboards();
const specs: MetricSpec[] = [...Object.values(METRICS), ...Object.values(SCOPE_METRICS)];
/** By their names in Prometheus. */
const exported = new Map<string, MetricSpec>();
for (const spec of specs) {
  const name = prometheusName(spec);
  const parts = spec.kind === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
  for (const part of parts) exported.set(`${name}${part}`, spec);
}

/** What the bundled rules record, by servers. */
const RECORDED = await recordedByServer();
/** Of Prometheus itself. */
const ALERT_SERIES = ["ALERTS", "ALERTS_FOR_STATE"];
const ALERT_LABELS = ["alertname", "alertstate", "severity", ...commonLabels()];

/** Rules that are broken on purpose. */
const EXCEPTIONS = [
  {
    rules: ["target-job-rule", "target-instance-rule"],
    where: / \/ (Alerts firing|Firing alerts)$/,
    reason: 'alerts of the stack have no job: job=~"$job|" lets them in',
  },
  {
    rules: ["target-job-rule", "target-instance-rule"],
    where: / \/ (Connection budget|Connections of each server|Servers)$/,
    reason: "what a server gives is recorded for all jobs together",
  },
];

/** Metrics that no dashboard shows. */
const UNSHOWN: Readonly<Record<string, string>> = {
  "poolscope.pool.utilization": "worked out from used and limit, which can be added up first",
};

describe.each(dashboards.map((dashboard) => [dashboard.title, dashboard] as const))("%s", (_, dashboard) => {
  it("passes dashboard-linter's rules", () => {
    const findings = lintDashboard(dashboard);
    expect(
      findings.filter((finding) => !EXCEPTIONS.some((exception) => excuses(exception, finding))),
    ).toEqual([]);
  });

  it("asks for metrics that are exported, by labels that they have", () => {
    for (const { where, query } of queriesOf(dashboard)) {
      const { selectors, labels, metrics } = parsePromql(prepare(query));
      const known = metrics.map((name) => labelsOf(name, where));
      for (const { metric, matchers } of selectors) {
        const unknown = matchers.filter(({ label }) => !labelsOf(String(metric), where).includes(label));
        expect(unknown, `${where}: ${metric}`).toEqual([]);
      }
      for (const label of labels.filter(
        (name) => name !== "le" || metrics.every((one) => one.endsWith("_bucket")),
      )) {
        const anywhere = known.some((names) => names.includes(label));
        expect(anywhere, `${where}: no metric of this query has the label ${label}`).toBe(true);
      }
    }
  });

  it("takes rates of what counts, and gauges as they are", () => {
    for (const { where, query } of queriesOf(dashboard)) {
      for (const { metric, within, range } of parsePromql(prepare(query)).selectors) {
        const kind = exported.get(String(metric))?.kind;
        if (kind === undefined) continue;
        const counts = kind === "counter" || kind === "histogram";
        expect(/^(rate|increase)$/.test(within[0] ?? ""), `${where}: ${metric}`).toBe(counts);
        expect(range !== undefined, `${where}: ${metric}`).toBe(counts);
        expect(within, `${where}: an average hides the pool that is full`).not.toContain("avg");
      }
    }
  });

  it("names series by labels that its queries keep", () => {
    for (const { title, targets = [] } of panelsOf(dashboard)) {
      for (const { expr, legendFormat = "" } of targets) {
        const { labels } = parsePromql(prepare(expr));
        for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
          expect(labels, title).toContain(label);
      }
    }
  });

  it("lays its panels side by side and leads only to dashboards that exist", () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size, "ids").toBe(panels.length);
    const titles = panelsOf(dashboard).map(({ title }) => title);
    expect(titles.filter((title, at) => titles.indexOf(title) < at)).toEqual([]);
    for (const [at, panel] of panels.entries()) {
      const { x, w } = panel.gridPos;
      expect(panel.id, panel.title).toBeGreaterThan(0);
      expect(x + w, panel.title).toBeLessThanOrEqual(24);
      const hidden = panels.slice(at + 1).filter((other) => overlap(panel.gridPos, other.gridPos));
      expect(
        hidden.map(({ title }) => title),
        `on top of ${panel.title}`,
      ).toEqual([]);
    }
    const links = [...JSON.stringify(dashboard).matchAll(/"\/d\/([\w-]+)/g)].map(([, uid]) => uid);
    expect(links.filter((uid) => !dashboards.some((other) => other.uid === uid))).toEqual([]);
  });

  it("gives each column of a table its unit under the heading it has", () => {
    for (const { title, transformations = [], fieldConfig } of panelsOf(dashboard).filter(
      ({ type }) => type === "table",
    )) {
      const { renameByName } = transformations.find(({ id }) => id === "organize")?.options ?? {};
      const headings = Object.values(renameByName as Record<string, string>);
      const overridden = (fieldConfig?.overrides ?? []).map(({ matcher }) => matcher.options);
      expect(
        overridden.filter((heading) => !headings.includes(heading)),
        title,
      ).toEqual([]);
    }
  });
});

describe("dashboards", () => {
  it("show every metric there is", () => {
    const asked = dashboards.flatMap((dashboard) =>
      queriesOf(dashboard).flatMap(({ query }) => parsePromql(prepare(query)).metrics),
    );
    const shown = new Set(asked.map((name) => exported.get(name)?.name));
    const missing = [...new Set([...exported.values()].map(({ name }) => name))].filter(
      (name) => !shown.has(name),
    );
    expect(missing).toEqual(Object.keys(UNSHOWN));
  });

  it("have uids and titles of their own, and excuses that are needed", () => {
    expect(new Set(dashboards.map(({ uid }) => uid)).size).toBe(dashboards.length);
    expect(new Set(dashboards.map(({ title }) => title)).size).toBe(dashboards.length);
    const findings = dashboards.flatMap(lintDashboard);
    expect(
      EXCEPTIONS.filter((exception) => !findings.some((finding) => excuses(exception, finding))),
    ).toEqual([]);
  });
});

describe("the rules of dashboard-linter", () => {
  const panel = {
    id: 1,
    type: "timeseries",
    title: "Panel",
    description: "What it answers.",
    gridPos: { x: 0, y: 0, w: 12, h: 8 },
    datasource: { uid: `\${datasource}` },
    fieldConfig: { defaults: { unit: "s" }, overrides: [] },
  };
  const [good] = dashboards as [DashboardJson];
  const rules = (changes: object) => lintDashboard({ ...good, ...changes }).map(({ rule }) => rule);
  const ask = (expr: string) => ({
    panels: [{ ...panel, targets: [{ refId: "A", expr, datasource: { uid: `\${datasource}` } }] }],
    templating: { list: good.templating.list.filter(({ type }) => type === "datasource") },
  });
  const of = 'job=~"$job", instance=~"$instance"';

  it.each([
    ["a rate over an interval of its own", ask(`rate(a_total{${of}}[5m])`), "target-rate-interval-rule"],
    ["a counter as it is", ask(`sum(a_total{${of}})`), "target-counter-agg-rule"],
    ["a query of all jobs", ask('sum(a{instance=~"$instance"})'), "target-job-rule"],
    ["a query of all instances", ask('sum(a{job=~"$job"})'), "target-instance-rule"],
    ["half a query", ask(`sum(a{${of}}`), "target-promql-rule"],
    [
      "a data source of its own",
      { panels: [{ ...panel, datasource: { uid: "mine" } }] },
      "panel-datasource-rule",
    ],
    ["no unit", { panels: [{ ...panel, fieldConfig: undefined }] }, "panel-units-rule"],
    ["no description", { panels: [{ ...panel, description: "" }] }, "panel-title-description-rule"],
    ["no query", { panels: [panel] }, "panel-no-targets-rule"],
    ["no variables", { templating: { list: [] } }, "template-datasource-rule"],
    ["no job to choose", { templating: { list: [] } }, "template-job-rule"],
    ["no instance to choose", { templating: { list: [] } }, "template-instance-rule"],
    ["edits allowed", { editable: true }, "uneditable-dashboard-rule"],
    ["nothing that uses a variable", { panels: [] }, "template-unused-rule"],
  ])("find %s", (_what, changes, rule) => {
    expect(rules(changes)).toContain(rule);
  });

  it("find variables that are asked wrongly, or not again", () => {
    const list = good.templating.list.map((variable) =>
      variable.name === "job" ? { ...variable, refresh: 1, query: "label_values(a{, job)" } : variable,
    );
    expect(rules({ templating: { list } })).toEqual(
      expect.arrayContaining(["template-label-promql-rule", "template-on-time-change-reload-rule"]),
    );
  });
});

function queriesOf(dashboard: DashboardJson): { where: string; query: string }[] {
  const { title, templating, annotations } = dashboard;
  const variables = templating.list.filter(({ type }) => type === "query");
  return [
    ...variables.map((one) => ({ where: `${title} / $${one.name}`, query: readLabelValues(one).selector })),
    ...annotations.list.map(({ name, expr }) => ({ where: `${title} / ${name}`, query: expr })),
    ...panelsOf(dashboard).flatMap((panel) =>
      (panel.targets ?? []).map(({ expr }) => ({ where: `${title} / ${panel.title}`, query: expr })),
    ),
  ];
}

function labelsOf(metric: string, where: string): readonly string[] {
  if (ALERT_SERIES.includes(metric)) return ALERT_LABELS;
  if (RECORDED.includes(metric)) return ["server_address", "server_port"];
  const spec = exported.get(metric);
  if (!spec) throw new Error(`${where}: there is no metric ${metric}`);
  const own = (spec.attributes ?? []).map(labelOf);
  const ofPool = specs.indexOf(spec) < Object.keys(METRICS).length ? commonLabels() : ["job", "instance"];
  return [...ofPool, ...own, ...(metric.endsWith("_bucket") ? ["le"] : [])];
}

async function recordedByServer(): Promise<string[]> {
  const rules = await readFile(
    new URL("../../prometheus/rules/recording.rules.yml", import.meta.url),
    "utf8",
  );
  return [...rules.matchAll(/^ *- record: (server:\S+)$/gm)].map(([, name]) => String(name));
}

/** What every series of a pool carries. */
function commonLabels(): string[] {
  const special = Object.values<MetricSpec>(METRICS).flatMap(({ attributes = [] }) => attributes);
  return ["job", "instance", ...OWN_ATTRIBUTES.filter((name) => !special.includes(name)).map(labelOf)];
}

function labelOf(attribute: string): string {
  return attribute.replaceAll(".", "_");
}

function excuses({ rules, where }: (typeof EXCEPTIONS)[number], finding: Finding): boolean {
  return rules.includes(finding.rule) && where.test(finding.where);
}

type Place = PanelJson["gridPos"];
function overlap(a: Place, b: Place): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}
