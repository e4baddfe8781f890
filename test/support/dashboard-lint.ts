import {
  type DashboardJson,
  interpolate,
  type PanelJson,
  panelsOf,
  readLabelValues,
  type TargetJson,
} from "./dashboards.ts";
import { parsePromql, type Selector } from "./promql.ts";

export interface Finding {
  readonly rule: string;
  readonly where: string;
  readonly message: string;
}

type Report = (message: string) => void;

/** Of Grafana's categories.ts, those that dashboards of pools could want; a misspelt one shows bare numbers. */
const UNITS = [
  "none",
  "string",
  "short",
  "percent",
  "percentunit",
  "s",
  "ms",
  "cps",
  "ops",
  "reqps",
  "cpm",
  "opm",
];
const NEED_WORDS = [
  "stat",
  "singlestat",
  "graph",
  "table",
  "timeseries",
  "gauge",
  "heatmap",
  "state-timeline",
];
/** Durations so unlike any that somebody writes, that those put for a variable are known again. */
const DURATIONS = { __rate_interval: "4217s", __interval: "1217s", __range: "7217s", __range_s: "7217" };

const DASHBOARD_RULES: Readonly<Record<string, (dashboard: DashboardJson, report: Report) => void>> = {
  "template-datasource-rule"({ templating }, report) {
    const sources = templating.list.filter(({ type }) => type === "datasource");
    if (sources.length !== 1) report(`${sources.length} data source variables instead of one`);
    for (const { name, label } of sources) {
      if (!["datasource", "prometheus_datasource"].includes(name)) report(`it is called ${name}`);
      if (!["Data source", "Prometheus data source"].includes(label ?? "")) report(`its label is ${label}`);
    }
  },
  "template-job-rule": (dashboard, report) => checkSelection(dashboard, "job", report),
  "template-instance-rule": (dashboard, report) => checkSelection(dashboard, "instance", report),
  "template-label-promql-rule"({ templating }, report) {
    for (const variable of templating.list.filter(({ type }) => type === "query")) {
      const { errors } = parsePromql(prepare(readLabelValues(variable).selector));
      for (const { column, message } of errors) report(`${variable.name}: ${message} (column ${column})`);
    }
  },
  "template-on-time-change-reload-rule"({ templating }, report) {
    for (const { type, name, refresh } of templating.list) {
      if (type === "query" && refresh !== 2) report(`${name} is not read again when the time range changes`);
    }
  },
  "template-unused-rule"(dashboard, report) {
    const asked = panelsOf(dashboard).flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    for (const { type, name } of dashboard.templating.list) {
      const isUsed = asked.some((expr) => new RegExp(`\\$\\{?${name}\\b`).test(expr));
      if (type === "query" && !isUsed) report(`no panel uses $${name}`);
    }
  },
  "uneditable-dashboard-rule"({ editable }, report) {
    if (editable) report("it can be edited, and changes would be lost");
  },
};

const PANEL_RULES: Readonly<Record<string, (panel: PanelJson, report: Report) => void>> = {
  "panel-datasource-rule"({ datasource, targets = [] }, report) {
    for (const uid of [datasource?.uid, ...targets.map((target) => target.datasource?.uid)]) {
      if (uid !== `\${datasource}`) report(`a data source that cannot be chosen: ${uid}`);
    }
  },
  "panel-title-description-rule"({ type, title, description }, report) {
    if (NEED_WORDS.includes(type) && !(title && description)) report("no title or no description");
  },
  "panel-units-rule"({ type, fieldConfig }, report) {
    const overridden = (fieldConfig?.overrides ?? []).flatMap(({ properties }) =>
      properties.filter(({ id }) => id === "unit").map(({ value }) => String(value)),
    );
    for (const unit of [fieldConfig?.defaults.unit ?? "", ...overridden]) {
      if (NEED_WORDS.includes(type) && !UNITS.includes(unit)) report(`unit "${unit}"`);
    }
  },
  "panel-no-targets-rule"({ targets = [] }, report) {
    if (targets.length === 0) report("it asks nothing");
  },
};

const TARGET_RULES: Readonly<Record<string, (target: TargetJson, report: Report) => void>> = {
  "target-promql-rule"({ expr }, report) {
    for (const { column, message } of parsePromql(prepare(expr)).errors)
      report(`${message} (column ${column})`);
  },
  "target-rate-interval-rule": (target, report) => {
    for (const { metric, range, within } of selectorsOf(target)) {
      const isRate = within[0] === "rate" || within[0] === "irate";
      if (isRate && range !== DURATIONS.__rate_interval) report(`${metric} by a rate over ${range}`);
    }
  },
  "target-job-rule": (target, report) => checkMatcher(target, "job", report),
  "target-instance-rule": (target, report) => checkMatcher(target, "instance", report),
  "target-counter-agg-rule": (target, report) => {
    for (const { metric, within } of selectorsOf(target)) {
      if (metric?.endsWith("_total") && !/^(rate|irate|increase)$/.test(within[0] ?? ""))
        report(`${metric} as it is`);
    }
  },
};

/** The rules of grafana/dashboard-linter, under their names: https://github.com/grafana/dashboard-linter/tree/main/docs */
export function lintDashboard(dashboard: DashboardJson): Finding[] {
  const findings: Finding[] = [];
  const run = <T>(
    rules: Readonly<Record<string, (subject: T, report: Report) => void>>,
    subject: T,
    where: string,
  ) => {
    for (const [rule, check] of Object.entries(rules)) {
      check(subject, (message) => findings.push({ rule, where, message }));
    }
  };
  run(DASHBOARD_RULES, dashboard, dashboard.title);
  for (const panel of panelsOf(dashboard)) {
    const where = `${dashboard.title} / ${panel.title}`;
    run(PANEL_RULES, panel, where);
    for (const target of panel.targets ?? []) run(TARGET_RULES, target, where);
  }
  return findings;
}

/** A query without what only Grafana understands. */
export function prepare(query: string): string {
  return interpolate(query, { ...DURATIONS, max_connections: "100" });
}

function selectorsOf({ expr }: TargetJson): readonly Selector[] {
  return parsePromql(prepare(expr)).selectors;
}

function checkSelection({ templating }: DashboardJson, name: string, report: Report): void {
  const variable = templating.list.find((one) => one.name === name);
  if (variable?.type !== "query") report("there is no such variable");
  if (variable?.label !== name) report(`its label is ${variable?.label}`);
  if (!variable?.multi || variable.allValue !== ".+") report("several, or all, cannot be chosen");
  if (variable?.datasource?.uid !== `\${datasource}`) report(`it asks ${variable?.datasource?.uid}`);
}

function checkMatcher(target: TargetJson, label: string, report: Report): void {
  for (const { metric, matchers } of selectorsOf(target)) {
    const found = matchers.find((matcher) => matcher.label === label);
    if (found?.op !== "=~" || found.value !== `$${label}`) report(`${metric} without ${label}=~"$${label}"`);
  }
}
