import {
  type DashboardJson,
  interpolate,
  panelsOf,
  readLabelValues,
  type TargetJson,
  type VariableJson,
} from "./dashboards.ts";

/** Seconds since 1970. */
export interface AskedRange {
  readonly from: number;
  readonly to: number;
  /** The data source's: `$__rate_interval` is four times it. */
  readonly scrapeSeconds: number;
  /** Which pool a dashboard of one pool is of; else, for each query, the one that has most. */
  readonly pool?: string;
}

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [time: number, value: number])[];
}

/** One query of a dashboard, and what came back. */
export interface Answer {
  readonly dashboard: string;
  /** `Callers waiting`, `$pool`, or `annotation: Firing alerts`. */
  readonly item: string;
  readonly refId: string;
  /** As it was sent, with "All" chosen. */
  readonly query: string;
  /** Those with at least one number. */
  readonly series: readonly Series[];
  readonly legend: string;
}

type Values = Readonly<Record<string, string>>;

/**
 * Asks a real Prometheus all that Grafana would ask it to show the dashboards: variables, annotations, and panels, with
 * all values of every variable chosen, first by "All", then one by one. The answer with fewer series counts.
 */
export async function askDashboards(
  prometheus: string,
  dashboards: readonly DashboardJson[],
  range: AskedRange,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const dashboard of dashboards) answers.push(...(await new Asker(prometheus, dashboard, range).ask()));
  return answers;
}

/** "dashboard / panel → series", one line each. */
export function answersTable(answers: readonly Answer[]): string {
  const lines = answers.map(
    (one) => [`${one.dashboard} / ${one.item}`, one.refId, String(one.series.length)] as const,
  );
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines
    .map(([name, refId, series]) => `${name.padEnd(width)}  ${refId}  ${series.padStart(4)}`)
    .join("\n");
}

class Asker {
  readonly #prometheus: string;
  readonly #dashboard: DashboardJson;
  readonly #range: AskedRange;
  readonly #step: number;

  constructor(prometheus: string, dashboard: DashboardJson, range: AskedRange) {
    this.#prometheus = prometheus;
    this.#dashboard = dashboard;
    this.#range = range;
    this.#step = Math.max(range.scrapeSeconds, Math.ceil((range.to - range.from) / 500));
  }

  async ask(): Promise<Answer[]> {
    const { list } = this.#dashboard.templating;
    const texts = list
      .filter(({ type }) => type === "textbox")
      .map(({ name, query }) => [name, String(query)]);
    let all: Values = { ...this.#builtIn(), ...Object.fromEntries(texts) };
    let chosen = all;
    let ones: Values[] = [{}];
    const answers: Answer[] = [];
    for (const variable of list.filter(({ type }) => type === "query")) {
      const found = await this.#labelValues(variable, chosen);
      answers.push(
        this.#answer(`$${variable.name}`, "", readLabelValues(variable).selector, "", found.map(valueSeries)),
      );
      if (variable.multi) {
        all = { ...all, [variable.name]: variable.allValue ?? escapedForRegex(found) };
        chosen = { ...chosen, [variable.name]: escapedForRegex(found) };
      } else {
        const { pool = "" } = this.#range;
        ones = (found.includes(pool) ? [pool] : found).map((value) => ({
          [variable.name]: escapedForEquals(value),
        }));
      }
    }
    const askFor = async (item: string, target: TargetJson) => {
      const byAll = await this.#best(
        target,
        ones.map((one) => ({ ...all, ...one })),
      );
      const byChoice = await this.#best(
        target,
        ones.map((one) => ({ ...chosen, ...one })),
      );
      const series = byAll.length < byChoice.length ? byAll : byChoice;
      const query = interpolate(target.expr, { ...all, ...ones[0] });
      answers.push(this.#answer(item, target.refId, query, target.legendFormat ?? "", series));
    };
    for (const { name, expr } of this.#dashboard.annotations.list) {
      await askFor(`annotation: ${name}`, { refId: "A", expr });
    }
    for (const { title, targets = [] } of panelsOf(this.#dashboard)) {
      for (const target of targets) await askFor(title, target);
    }
    return answers;
  }

  /** Of several values of which only one can be chosen, the one that gives most. */
  async #best(target: TargetJson, choices: readonly Values[]): Promise<Series[]> {
    let best: Series[] = [];
    for (const values of choices) {
      const series = await this.#query(interpolate(target.expr, values), target.instant === true);
      if (series.length > best.length) best = series;
    }
    return best;
  }

  async #query(query: string, instant: boolean): Promise<Series[]> {
    if (query.includes("$")) throw new Error(`nothing to put for a variable: ${query}`);
    const { from, to } = this.#range;
    const data = instant
      ? await this.#get("query", { query, time: String(to) })
      : await this.#get("query_range", {
          query,
          start: String(from),
          end: String(to),
          step: String(this.#step),
        });
    return (data as { result: RawSeries[] }).result.map(readSeries).filter(hasNumbers);
  }

  async #labelValues(variable: VariableJson, values: Values): Promise<string[]> {
    const { selector, label } = readLabelValues(variable);
    const { from, to } = this.#range;
    const match = interpolate(selector, values);
    const found = await this.#get(`label/${label}/values`, {
      "match[]": match,
      start: String(from),
      end: String(to),
    });
    return found as string[];
  }

  async #get(path: string, parameters: Record<string, string>): Promise<unknown> {
    const response = await fetch(`${this.#prometheus}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const { data, error } = (await response.json()) as { data?: unknown; error?: string };
    if (error !== undefined) throw new Error(`${error}\n${JSON.stringify(parameters)}`);
    return data;
  }

  /** As Grafana's Prometheus data source works them out. */
  #builtIn(): Values {
    const { from, to, scrapeSeconds } = this.#range;
    const step = this.#step;
    return {
      __interval: `${step}s`,
      __rate_interval: `${Math.max(step + scrapeSeconds, 4 * scrapeSeconds)}s`,
      __range: `${to - from}s`,
      __range_s: String(to - from),
    };
  }

  #answer(item: string, refId: string, query: string, legend: string, series: readonly Series[]): Answer {
    return { dashboard: this.#dashboard.title, item, refId, query, series, legend };
  }
}

interface RawSeries {
  readonly metric: Record<string, string>;
  readonly value?: [number, string];
  readonly values?: [number, string][];
}

function readSeries({ metric, value, values = value ? [value] : [] }: RawSeries): Series {
  return { metric, values: values.map(([time, text]) => [time, Number(text)] as const) };
}

function hasNumbers({ values }: Series): boolean {
  return values.some(([, value]) => !Number.isNaN(value));
}

function valueSeries(value: string): Series {
  return { metric: { value }, values: [] };
}

/** For `=~`, as the value of a variable of which several can be chosen. */
function escapedForRegex(values: readonly string[]): string {
  const escaped = values.map((value) =>
    value.replaceAll("\\", "\\\\\\\\").replace(/[$^*{}[\]'+?.()|]/g, "\\\\$&"),
  );
  return escaped.length === 1 ? (escaped[0] as string) : `(${escaped.join("|")})`;
}

/** For `=`, as the value of a variable that is one value. */
function escapedForEquals(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
}
