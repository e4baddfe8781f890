import { readdir, readFile } from "node:fs/promises";

/** As much of Grafana's classic JSON as the tests look at. */
export interface DashboardJson {
  readonly uid: string;
  readonly title: string;
  readonly editable: boolean;
  readonly panels: readonly PanelJson[];
  readonly templating: { readonly list: readonly VariableJson[] };
  readonly annotations: { readonly list: readonly AnnotationJson[] };
}

export interface PanelJson {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: { readonly uid: string };
  readonly options?: unknown;
  readonly targets?: readonly TargetJson[];
  readonly transformations?: readonly { readonly id: string; readonly options: Record<string, unknown> }[];
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit?: string;
      readonly max?: number;
      readonly noValue?: string;
      readonly thresholds?: { readonly steps: readonly ThresholdJson[] };
      readonly mappings?: readonly { readonly options: Readonly<Record<string, StateJson>> }[];
      readonly custom?: { readonly drawStyle?: string; readonly stacking?: { readonly mode: string } };
    };
    readonly overrides: readonly {
      readonly matcher: { readonly id: string; readonly options: string };
      readonly properties: readonly { readonly id: string; readonly value: unknown }[];
    }[];
  };
}

export interface ThresholdJson {
  readonly value: number | null;
  readonly color: string;
}

export interface StateJson {
  readonly text: string;
  readonly color: string;
}

export interface TargetJson {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat?: string;
  readonly instant?: boolean;
  readonly datasource?: { readonly uid: string };
}

export interface VariableJson {
  readonly name: string;
  readonly type: string;
  readonly label?: string;
  readonly query: string | { readonly query: string };
  readonly datasource?: { readonly uid: string };
  readonly refresh?: number;
  readonly multi?: boolean;
  readonly includeAll?: boolean;
  readonly allValue?: string;
}

interface AnnotationJson {
  readonly name: string;
  readonly expr: string;
  readonly datasource: { readonly uid: string };
}

/** The dashboards as they are shipped. */
export async function readDashboards(): Promise<DashboardJson[]> {
  const folder = new URL("../../grafana/dashboards/", import.meta.url);
  const files = (await readdir(folder)).filter((file) => file.endsWith(".json")).sort();
  return Promise.all(
    files.map(async (file) => JSON.parse(await readFile(new URL(file, folder), "utf8")) as DashboardJson),
  );
}

/** Without the rows, which only part them. */
export function panelsOf(dashboard: DashboardJson): PanelJson[] {
  return dashboard.panels.filter(({ type }) => type !== "row");
}

/** `label_values(db_client_connection_limit{job=~"$job"}, instance)` taken apart. */
export function readLabelValues({ query, name }: VariableJson): { selector: string; label: string } {
  const text = typeof query === "string" ? query : query.query;
  const [, selector, label] = /^label_values\((.+),\s*(\w+)\)$/s.exec(text) ?? [];
  if (!selector || !label) throw new Error(`the variable ${name} asks something else: ${text}`);
  return { selector, label };
}

/** Puts values for `$name`, `${name}` and `${name:format}`; what has none stays. */
export function interpolate(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(
    /\$(?:(\w+)|\{(\w+)(?::\w+)?\})/g,
    (all, plain, braced) => values[plain ?? braced] ?? all,
  );
}
