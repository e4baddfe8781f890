import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { METRICS, type MetricSpec } from "../../src/metrics/semconv.ts";
import { parsePromql } from "../support/promql.ts";
import {
  ALERT_NAMES,
  ALERTS,
  CASE_FILES,
  groupsOf,
  ROOT,
  RULE_FILES,
  RULES,
  RUNBOOKS,
  type Rule,
} from "../support/rules.ts";

const RECORDED = RULES.flatMap(({ record }) => record ?? []);
const CASES = CASE_FILES.flatMap(({ tests }) => tests);
const DASHBOARDS = ["poolscope-overview", "poolscope-pool", "poolscope-fleet", "poolscope-routes"];
const LABEL = "db_client_connection_pool_name";

/** Everything the rules and runbooks may ask for. */
const EXPORTED = new Map(
  Object.values<MetricSpec>(METRICS).flatMap((spec) => names(spec).map((name) => [name, spec] as const)),
);

describe("rules", () => {
  it.each(RULES.map((rule) => [titleOf(rule), rule] as const))(
    "%s asks for what is exported or recorded",
    (title, rule) => {
      for (const query of [rule.expr, ...queriesIn(rule)]) expectKnown(query, title);
    },
  );

  it("have names that say the level, the metric and the operations", () => {
    for (const name of RECORDED) {
      expect(name).toMatch(
        /^(job_instance_pool|job_pool|server):[a-z0-9_]+:((sum|max|max_ratio|ratio)|((ratio|p99)_)?rate\d+[mhd])$/,
      );
    }
    expect(RECORDED.filter((name, index) => RECORDED.indexOf(name) < index)).toEqual([]);
  });

  it("keep exactly the labels that the level names", () => {
    const labels = { job: "job", instance: "instance", pool: LABEL };
    for (const { record, expr } of RULES) {
      const [level = ""] = record?.split(":") ?? [];
      if (record === undefined || level === "server") continue;
      const wanted = level.split("_").map((word) => labels[word as keyof typeof labels]);
      for (const [, grouping = ""] of expr.matchAll(/\bby \(([^)]*)\)/g)) {
        const kept = grouping.split(", ").filter((label) => label !== "le");
        expect(kept, record).toEqual(wanted);
      }
    }
  });

  it("look at counters only by their growth, and at gauges never", () => {
    for (const rule of RULES) {
      for (const { metric = "", within } of parsePromql(rule.expr).selectors) {
        const isRate = within.some((name) => name === "rate" || name === "increase");
        if (EXPORTED.has(metric) || metric.startsWith("otelcol_")) {
          expect(isRate, `${titleOf(rule)}: ${metric}`).toBe(isCounter(metric));
        }
      }
    }
  });

  it("that add up counters take each one's rate first, so that a restart does not count as negative", () => {
    for (const rule of RULES) {
      for (const { metric = "", within } of parsePromql(rule.expr).selectors) {
        if (isCounter(metric))
          expect(["rate", "increase"], `${titleOf(rule)}: ${metric}`).toContain(within[0]);
      }
    }
  });
});

describe.each(ALERT_NAMES)("%s", (name) => {
  const rules = ALERTS.filter(({ alert }) => alert === name);
  const expected = CASES.flatMap((test) => test.alert_rule_test ?? []).filter(
    ({ alertname }) => alertname === name,
  );

  it("says how bad it is, what it is, with the numbers, and where to look", () => {
    for (const { labels, annotations } of rules) {
      expect(labels?.["severity"]).toMatch(/^(critical|warning)$/);
      expect(Object.keys(annotations ?? {}).sort()).toEqual([
        "dashboard_url",
        "description",
        "runbook_url",
        "summary",
      ]);
      expect(annotations?.["summary"]).toMatch(/^(\S.*)\.$/);
      expect(annotations?.["description"]).toMatch(/^(\S.*)\.$/);
      expect(annotations?.["runbook_url"]).toBe(`http://localhost:9094/runbooks/${name}`);
      const dashboard = annotations?.["dashboard_url"] ?? "";
      expect(DASHBOARDS).toContain(/^http:\/\/localhost:3000\/d\/([a-z-]+)/.exec(dashboard)?.[1]);
    }
  });

  it("shows nothing in its summary that would differ within one message", () => {
    for (const { annotations } of rules) {
      const labels = [...(annotations?.["summary"] ?? "").matchAll(/\$labels\.(\w+)/g)].map(
        ([, label]) => label,
      );
      for (const label of labels) expect(["job", LABEL, "server_address", "server_port"]).toContain(label);
      expect(annotations?.["summary"]).not.toContain("$value");
    }
  });

  it("has a case in which it fires, for each of its severities and windows", () => {
    const fired = expected.flatMap(({ exp_alerts }) => exp_alerts);
    for (const { labels = {} } of rules) {
      const matching = fired.filter(({ exp_labels }) =>
        Object.entries(labels).every(([label, value]) => exp_labels[label] === value),
      );
      expect(matching.length, JSON.stringify(labels)).toBeGreaterThan(0);
    }
    for (const { exp_annotations } of fired) expect(Object.keys(exp_annotations)).toHaveLength(4);
  });

  it("has a case in which it stays quiet", () => {
    const quiet = CASES.filter(({ alert_rule_test = [] }) => {
      const own = alert_rule_test.filter(({ alertname }) => alertname === name);
      return own.length > 0 && own.every(({ exp_alerts }) => exp_alerts.length === 0);
    });
    expect(quiet.length).toBeGreaterThan(0);
  });

  it("has a runbook that says what it means, what suffers, what to look at and what to do", () => {
    const runbook = RUNBOOKS.find((candidate) => candidate.name === name);
    expect(runbook?.text).toMatch(/^# (\w+)\n\n## Meaning\n/);
    expect(runbook?.text.match(/^#+ .+$/gm)).toEqual([
      `# ${name}`,
      "## Meaning",
      "## Impact",
      "## Diagnosis",
      "## Mitigation",
    ]);
    expect(runbook?.text).toMatch(/\$APP\/health\/(database|ready|live)/);
  });
});

describe("cases", () => {
  it("have values that no reader of YAML takes for numbers, as 0x40, which is 64", () => {
    for (const { name, input_series } of CASES) {
      for (const { series, values } of input_series)
        expect(values, `${name}: ${series}`).toBeTypeOf("string");
    }
  });

  it("name the order of all groups, which promtool would choose by chance", () => {
    for (const { path, rule_files, group_eval_order } of CASE_FILES) {
      const groups = rule_files.flatMap((file) => groupsOf(file).map(({ name }) => name));
      expect([...group_eval_order].sort(), path).toEqual(groups.sort());
    }
  });

  it("feed series that are exported", () => {
    for (const { name, input_series } of CASES) {
      for (const { series } of input_series)
        expectKnown(series, name, ["service_version", "transport", "data_type"]);
    }
  });
});

describe("recording rules", () => {
  it.each(RECORDED)("%s has a case with its value", (name) => {
    const asked = CASES.flatMap((test) => test.promql_expr_test ?? [])
      .filter(({ exp_samples }) => exp_samples.length > 0)
      .flatMap(({ expr }) => parsePromql(expr).metrics);
    expect(asked).toContain(name);
  });
});

describe("docs/alerting-rules.md", () => {
  const page = readFileSync(join(ROOT, "docs/alerting-rules.md"), "utf8");

  it("has every alert in its table, with its duration and severity", () => {
    const [, table = ""] = page.split(/<!-- (?:end of )?alerts -->/);
    const rows = table.trim().split("\n").slice(2);
    const cells = rows.map((row) => row.split("|").map((cell) => cell.trim()));
    const said = cells.map(([, alert, , duration, severity]) => [alert, duration, severity].join(" "));
    const real = ALERTS.map((rule) =>
      [`\`${rule.alert}\``, rule.for ?? "0s", rule.labels?.["severity"]].join(" "),
    );
    expect(said.sort()).toEqual(real.sort());
  });

  it("tells a sed that moves all links away from the compose stack", async () => {
    const [, script = ""] = /sed -i -E '([^']+)'/.exec(page) ?? [];
    const moved = await promisify(execFile)("sed", ["-E", script, ...RULE_FILES]);
    expect(moved.stdout).not.toContain("localhost");
    expect(moved.stdout).toContain("https://grafana.example.com/d/poolscope-pool?var-job=");
    expect(moved.stdout).toContain("https://git.example.com/ops/runbooks/PoolscopePoolStuck.md\n");
  });

  it("tells a loop that makes each file a PrometheusRule", async () => {
    const [, loop = ""] = /```sh\n(for file in rules[^`]+)\| kubectl apply -f -\n```/.exec(page) ?? [];
    const { stdout } = await promisify(execFile)("sh", ["-c", loop], { cwd: join(ROOT, "prometheus") });
    const documents = parseAllDocuments(stdout).map((document) => document.toJS());
    const rules = documents.filter((document) => document !== null);
    expect(rules.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      "PrometheusRule poolscope-collector",
      "PrometheusRule poolscope-pools",
      "PrometheusRule poolscope-recording",
    ]);
    const groups = rules.flatMap(({ spec }) => spec.groups as { rules: Rule[] }[]);
    expect(groups.flatMap((group) => group.rules)).toEqual(RULES);
  });
});

describe("runbooks", () => {
  it("are of alerts that there are", () => {
    expect(RUNBOOKS.map(({ name }) => name)).toEqual([...ALERT_NAMES].sort());
  });

  it.each(RUNBOOKS.map(({ name, queries }) => [name, queries] as const))(
    "%s asks for what is exported or recorded",
    (name, queries) => {
      expect(queries.length).toBeGreaterThan(0);
      for (const query of queries) expectKnown(query, name);
    },
  );

  it.each(RUNBOOKS.map(({ name, text }) => [name, text] as const))(
    "%s links to runbooks that there are",
    (_name, text) => {
      const links = [...text.matchAll(/\]\((?!#)([^)]+)\)/g)].map(([, link]) => link);
      for (const link of links) expect(RUNBOOKS.map(({ name }) => `${name}.md`)).toContain(link);
    },
  );
});

function titleOf({ record, alert, labels = {} }: Rule): string {
  const which = ["severity", "long"].flatMap((label) => labels[label] ?? []);
  return record ?? [alert, ...which].join(" ");
}

/** Annotations may ask too: their templates print a query. */
function queriesIn({ annotations = {} }: Rule): string[] {
  return Object.values(annotations).flatMap((text) =>
    [...text.matchAll(/printf `([^`]*)`[^}]*\| query/g)].map(([, query = ""]) =>
      query.replaceAll("%q", '"x"'),
    ),
  );
}

function expectKnown(query: string, where: string, others: readonly string[] = []): void {
  const { errors, selectors, labels } = parsePromql(query);
  expect(errors, `${where}: ${query}`).toEqual([]);
  for (const { metric } of selectors) {
    const isKnown =
      metric !== undefined &&
      (EXPORTED.has(metric) || RECORDED.includes(metric) || metric === "up" || metric.startsWith("otelcol_"));
    expect(isKnown, `${where}: ${metric}`).toBe(true);
  }
  const own = [...EXPORTED.values()].flatMap(({ attributes = [] }) => attributes.map(underscored));
  const known = [
    ...["job", "instance", "le", LABEL, "server_address", "server_port", "receiver", "exporter"],
    ...own,
    ...others,
  ];
  for (const label of labels) expect(known, `${where}: ${label}`).toContain(label);
}

/** As `scope.metrics()` and a Collector write them; docs/metrics.md has them from the code that does. */
function names({ name, kind, unit }: MetricSpec): string[] {
  const suffix = { s: "_seconds", "1": "_ratio" }[unit] ?? "";
  const full = `${underscored(name)}${suffix}`;
  if (kind === "histogram") return ["_bucket", "_sum", "_count"].map((part) => `${full}${part}`);
  return [kind === "counter" ? `${full}_total` : full];
}

function isCounter(metric: string): boolean {
  const kind = EXPORTED.get(metric)?.kind;
  if (kind !== undefined) return kind === "counter" || kind === "histogram";
  return /^otelcol_\w+_metric_points/.test(metric);
}

function underscored(name: string): string {
  return name.replaceAll(".", "_");
}
