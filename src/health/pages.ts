import { getOrCreate } from "../get-or-create.ts";
import { type AssessedReading, type HealthStatus, overall } from "./assess.ts";
import type { ComponentHealth } from "./components.ts";
import {
  type DatabaseSource,
  type HealthView,
  type PoolSummary,
  poolSummary,
  slowest,
  together,
  type UnknownHealth,
} from "./database.ts";
import type { HealthReport } from "./health-json.ts";
import { addUp, HistoryText, type Usage } from "./history-text.ts";

/** The most samples of `recent_history`. */
export const MAX_HISTORY = 100;

/** The pages that are made of one reading of all pools, or of none. */
export interface DatabasePage {
  /** Of all pools. */
  readonly report: DatabaseReport;
  /** Of one; undefined: no pool of this name is watched. */
  pool(name: string): HealthReport | undefined;
  /** With the other components of the application. */
  whole(others: Components): HealthReport;
}

type DatabaseReport = HealthReport & { readonly status: HealthStatus };
type Components = Readonly<Record<string, ComponentHealth>>;

/** Of one reading. Probes that share the reading share the pages. */
const pages = new WeakMap<readonly AssessedReading[], Pages>();

export async function databasePage(source: DatabaseSource, view: HealthView): Promise<DatabasePage> {
  let readings: readonly AssessedReading[];
  try {
    readings = await source.read();
  } catch {
    // The reason may quote the application's own code: it is in the log, not in the page.
    return unknownPage("the pools could not be read; see the log");
  }
  if (readings.length === 0) return unknownPage("no pool is watched: call scope.watch(pool)");
  return getOrCreate(pages, readings, () => new Pages(source, readings)).page(view);
}

/** What is said of one reading: texts are put together of parts, and each part is made once for all pages. */
class Pages {
  readonly summaries: readonly PoolSummary[];
  readonly total: ReturnType<typeof together>;
  readonly #source: DatabaseSource;
  readonly #histories: readonly HistoryText[];
  readonly #totalHistory: HistoryText;
  readonly #heads: string[] = [];
  readonly #pages = new Map<string, Page>();
  #usages: { readonly limit: number; readonly ofPools: readonly (readonly Usage[])[] } | undefined;

  constructor(source: DatabaseSource, readings: readonly AssessedReading[]) {
    this.#source = source;
    this.summaries = readings.map((reading) => poolSummary(reading, source.alerts(reading.pool)));
    this.total = together(this.summaries);
    this.#histories = readings.map(
      (_, index) => new HistoryText((limit) => this.#usage(limit)[index] ?? [], MAX_HISTORY),
    );
    this.#totalHistory = new HistoryText((limit) => addUp(this.#usage(limit).flat(), limit), MAX_HISTORY);
  }

  page({ historyLimit, showsDetails }: HealthView): Page {
    const key = `${historyLimit} ${showsDetails}`;
    return getOrCreate(this.#pages, key, () => new Page(this, historyLimit, showsDetails));
  }

  ofPool(index: number, limit: number, showsDetails: boolean): string {
    this.#heads[index] ??= JSON.stringify(this.summaries[index]).slice(0, -1);
    const { name, query_seconds: measured } = this.summaries[index] as PoolSummary;
    const history = this.#histories[index]?.last(limit);
    const slow =
      showsDetails && measured ? `,"slowest_queries":${JSON.stringify(slowest(this.#source, name))}` : "";
    return `${this.#heads[index]},"recent_history":${history}${slow}}`;
  }

  ofAll(limit: number, ofPools: readonly string[]): string {
    const head = JSON.stringify(this.total).slice(0, -1);
    return `${head},"recent_history":${this.#totalHistory.last(limit)},"pools":[${ofPools.join(",")}]}`;
  }

  #usage(limit: number): readonly (readonly Usage[])[] {
    if (this.#usages?.limit !== limit) {
      const ofPools = this.summaries.map(({ name }) => this.#source.usage(name, limit));
      this.#usages = { limit, ofPools };
    }
    return this.#usages.ofPools;
  }
}

class Page implements DatabasePage {
  readonly report: DatabaseReport;
  readonly #pages: Pages;
  readonly #limit: number;
  readonly #showsDetails: boolean;
  readonly #pools = new Map<string, HealthReport>();
  #text: string | undefined;
  #whole: { readonly others: string; readonly report: HealthReport } | undefined;

  constructor(pages: Pages, limit: number, showsDetails: boolean) {
    this.#pages = pages;
    this.#limit = limit;
    this.#showsDetails = showsDetails;
    const { status } = pages.total;
    const json = () => this.#json();
    this.report = { code: codeOf(status), status, pools: pages.summaries, json };
  }

  pool(name: string): HealthReport | undefined {
    const index = this.#pages.summaries.findIndex((pool) => pool.name === name);
    const pool = this.#pages.summaries[index];
    if (!pool) return undefined;
    const { status } = pool;
    const json = () => this.#pages.ofPool(index, this.#limit, this.#showsDetails);
    return getOrCreate(this.#pools, name, () => ({ code: codeOf(status), status, pools: [pool], json }));
  }

  /** Other components have caches of their own: mostly they are as they were for the last request. */
  whole(others: Components): HealthReport {
    const text = JSON.stringify(others);
    if (this.#whole?.others !== text) {
      this.#whole = { others: text, report: wholeReport(this.report, others, text) };
    }
    return this.#whole.report;
  }

  #json(): string {
    if (this.#text === undefined) {
      const ofPools = this.#pages.summaries.map((_, index) =>
        this.#pages.ofPool(index, this.#limit, this.#showsDetails),
      );
      this.#text = this.#pages.ofAll(this.#limit, ofPools);
    }
    return this.#text;
  }
}

/** Nothing is known: said with a reason, never with numbers. Unread is not unwatched: of one pool as of all. */
function unknownPage(message: string): DatabasePage {
  const body: UnknownHealth = {
    status: "unknown",
    message,
    timestamp: new Date().toISOString(),
    pools: [],
  };
  const json = () => JSON.stringify(body);
  const report: DatabaseReport = { code: 200, status: "unknown", output: message, pools: [], json };
  return {
    report,
    pool: () => report,
    whole: (others) => wholeReport(report, others, JSON.stringify(others)),
  };
}

/** @param text The other components as JSON */
function wholeReport(database: DatabaseReport, others: Components, text: string): HealthReport {
  const status = overall([database, ...Object.values(others)].map(({ status }) => status));
  const more = text === "{}" ? "}" : `,${text.slice(1)}`;
  return {
    code: codeOf(status),
    status,
    output: database.output,
    pools: database.pools ?? [],
    components: others,
    json: () => `{"status":"${status}","components":{"database":${database.json()}${more}}`,
  };
}

function codeOf(status: HealthReport["status"]): 200 | 503 {
  return status === "critical" ? 503 : 200;
}
