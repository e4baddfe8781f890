import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  TextBoxVariableBuilder,
  TimePickerBuilder,
  VariableRefresh,
  VariableSort,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { menu, TAG } from "./links.ts";
import type { PanelBuilder } from "./panels.ts";
import { FIRING_ALERTS } from "./queries.ts";
import { DATA_SOURCE, targets } from "./targets.ts";

export interface Row {
  /** Stays with the row, as a panel's does. */
  readonly id: number;
  readonly title: string;
  readonly panels: readonly PanelBuilder[];
}

export interface DashboardSpec {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** About one pool, or all that are selected. */
  readonly pools: "one" | "many";
  /** What no metric tells, with what it is until somebody says otherwise. */
  readonly texts?: Readonly<Record<string, string>>;
  /** What is seen without scrolling. */
  readonly top: readonly PanelBuilder[];
  readonly rows: readonly Row[];
}

export function dashboard(spec: DashboardSpec): Dashboard {
  const builder = new DashboardBuilder(spec.title)
    .uid(spec.uid)
    .description(spec.description)
    .tags([TAG, "postgresql", "opentelemetry"])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: "now-1h", to: "now" })
    .refresh("30s")
    .timezone("browser")
    .timepicker(new TimePickerBuilder().refreshIntervals(["5s", "10s", "30s", "1m", "5m", "15m"]))
    .link(menu())
    .annotation(alerts())
    .withVariable(new DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"));
  for (const variable of selection(spec.pools)) builder.withVariable(variable);
  for (const [name, text] of Object.entries(spec.texts ?? {})) {
    const variable = new TextBoxVariableBuilder(name).label(name).defaultValue(text);
    builder.withVariable(variable.current({ text, value: text }));
  }
  for (const panel of spec.top) builder.withPanel(panel);
  for (const { id, title, panels } of spec.rows) {
    builder.withRow(new RowBuilder(title).id(id));
    for (const panel of panels) builder.withPanel(panel);
  }
  const made = inSight(builder.build());
  return spec.pools === "one" ? ofOnePool(made) : made;
}

/** The SDK puts links and the switch of annotations into a menu. */
function inSight(dashboard: Dashboard): Dashboard {
  for (const item of [...(dashboard.links ?? []), ...(dashboard.annotations.list ?? [])])
    delete item.placement;
  return dashboard;
}

/** Each offers what is left by those before it. */
function selection(pools: "one" | "many"): QueryVariableBuilder[] {
  const of = (matchers: string, label: string) =>
    `label_values(db_client_connection_limit${matchers}, ${label})`;
  const pool = choice("pool", of('{job=~"$job", instance=~"$instance"}', "db_client_connection_pool_name"));
  return [
    all(choice("job", of("", "job"))),
    all(choice("instance", of('{job=~"$job"}', "instance"))),
    pools === "many" ? all(pool) : pool.multi(false).includeAll(false),
  ];
}

function choice(name: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(name)
    .datasource(DATA_SOURCE)
    .query({ qryType: 1, query, refId: "variable" })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc);
}

function all(variable: QueryVariableBuilder): QueryVariableBuilder {
  return variable
    .multi(true)
    .includeAll(true)
    .allValue(".+")
    .current({ selected: true, text: ["All"], value: ["$__all"] });
}

function alerts(): AnnotationQueryBuilder {
  const builder = new AnnotationQueryBuilder()
    .name("Firing alerts")
    .enable(true)
    .iconColor("red")
    .datasource(DATA_SOURCE)
    .expr(FIRING_ALERTS)
    .titleFormat("{{alertname}}")
    .textFormat("{{job}} {{instance}} {{db_client_connection_pool_name}}")
    .tagKeys("severity");
  for (const target of targets([{ query: FIRING_ALERTS }])) builder.target(target);
  return builder;
}

/** Grafana escapes the value of a variable that is one value for `=`, not for `=~`. */
function ofOnePool(dashboard: Dashboard): Dashboard {
  const text = JSON.stringify(dashboard).replaceAll('=~\\"$pool\\"', '=\\"$pool\\"');
  return JSON.parse(text) as Dashboard;
}
