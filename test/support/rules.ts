import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

/** One entry of a group: a recording rule has `record`, an alert `alert`. */
export interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export type Alert = Rule & { readonly alert: string };

/** One entry of `tests` in a file for `promtool test rules`. */
export interface RuleCase {
  readonly name: string;
  readonly input_series: readonly { readonly series: string; readonly values: string }[];
  readonly alert_rule_test?: readonly {
    readonly alertname: string;
    readonly exp_alerts: readonly ExpectedAlert[];
  }[];
  readonly promql_expr_test?: readonly { readonly expr: string; readonly exp_samples: readonly unknown[] }[];
}

interface ExpectedAlert {
  readonly exp_labels: Readonly<Record<string, string>>;
  readonly exp_annotations: Readonly<Record<string, string>>;
}

export interface CaseFile {
  /** Absolute, as are those in `rule_files`. */
  readonly path: string;
  readonly rule_files: readonly string[];
  readonly evaluation_interval: string;
  /** Names of the groups. */
  readonly group_eval_order: readonly string[];
  readonly tests: readonly RuleCase[];
}

export interface Runbook {
  readonly name: string;
  readonly text: string;
  /** What stands in its blocks of PromQL. */
  readonly queries: readonly string[];
}

export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));

export const RULE_FILES: readonly string[] = files("prometheus/rules", ".yml");

export const RULES: readonly Rule[] = RULE_FILES.flatMap((path) =>
  groupsOf(path).flatMap(({ rules }) => rules),
);

export const ALERTS: readonly Alert[] = RULES.filter((rule) => rule.alert !== undefined) as Alert[];

/** Some have several severities, or windows, and a rule for each. */
export const ALERT_NAMES: readonly string[] = [...new Set(ALERTS.map(({ alert }) => alert))];

export const CASE_FILES: readonly CaseFile[] = files("prometheus/tests", ".test.yml").map((path) => {
  const file = parse(read(path)) as Omit<CaseFile, "path">;
  const rules = file.rule_files.map((relative) => fileURLToPath(new URL(relative, `file://${path}`)));
  return { ...file, path, rule_files: rules };
});

export const RUNBOOKS: readonly Runbook[] = files("prometheus/runbooks", ".md").map((path) => {
  const text = read(path);
  const blocks = text.matchAll(/^ *```promql\n(.*?)^ *```$/gms);
  return {
    name: basename(path, ".md"),
    text,
    queries: [...blocks].map(([, query]) => (query as string).trim()),
  };
});

/** What is in one file of rules. */
export function groupsOf(
  path: string,
): readonly { readonly name: string; readonly rules: readonly Rule[] }[] {
  return parse(read(path)).groups;
}

function files(folder: string, ending: string): string[] {
  const names = readdirSync(join(ROOT, folder)).filter((name) => name.endsWith(ending));
  return names.sort().map((name) => join(ROOT, folder, name));
}

function read(path: string): string {
  return readFileSync(path, "utf8");
}
