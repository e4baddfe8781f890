/**
 * What the dashboards ask, in one place. Names are as a scrape of `/metrics` and a Collector both give them.
 *
 * Ratios add up numerators and denominators apart and then take the largest: an average over instances hides the one
 * that is full. Grouping by labels of their own, queries do not mind what else a Collector adds.
 */

/** Histograms, without `_bucket`, `_sum` and `_count`. */
export const WAIT = "db_client_connection_wait_time_seconds";
export const USE = "db_client_connection_use_time_seconds";
export const CREATE = "db_client_connection_create_time_seconds";
export const REUSE = "poolscope_pool_reuse";
export const DURATION = "db_client_operation_duration_seconds";
export const ROWS = "db_client_response_returned_rows";
export const ROUTE_WAIT = "poolscope_route_wait_time_seconds";
export const ROUTE_USE = "poolscope_route_use_time_seconds";
export const ROUTE_QUERY = "poolscope_route_query_time_seconds";

/** What the variables select. A dashboard about one pool makes `=` of the last `=~`. */
export const SELECTED = 'job=~"$job", instance=~"$instance", db_client_connection_pool_name=~"$pool"';
/** One pool in one process: the smallest thing that can be full. */
export const POOL = "job, instance, db_client_connection_pool_name";
/** One pool over all processes of its service. */
export const SERVICE_POOL = "job, db_client_connection_pool_name";
export const SERVER = "server_address, server_port";
export const QUERY = "db_operation_name, db_query_summary";

/** `|` lets in the alerts of a service, or of the stack as a whole: those carry no such labels. */
const ALERT =
  'alertname=~"Poolscope.+", job=~"$job|", instance=~"$instance|", db_client_connection_pool_name=~"$pool|"';
const ALERT_ROW = "alertname, severity, job, instance, db_client_connection_pool_name";
export const FIRING_ALERTS: string = `ALERTS{${ALERT}, alertstate="firing"}`;
/** One for each row of the table of alerts. */
export const FIRING_COUNT: string = `count(max by (${ALERT_ROW}) (${FIRING_ALERTS})) or vector(0)`;
/** Seconds since the condition began to hold. */
export const ALERT_AGES: string = `(time() - max by (${ALERT_ROW}) (ALERTS_FOR_STATE{${ALERT}})) and on (${ALERT_ROW}) ${FIRING_ALERTS}`;

export function metric(name: string, ...matchers: readonly string[]): string {
  return `${name}{${[SELECTED, ...matchers].join(", ")}}`;
}

function sumBy(by: string, vector: string): string {
  return by === "" ? `sum(${vector})` : `sum by (${by}) (${vector})`;
}

export function maxBy(by: string, vector: string): string {
  return by === "" ? `max(${vector})` : `max by (${by}) (${vector})`;
}

export function top(count: number, vector: string): string {
  return `topk(${count}, ${vector})`;
}

/** A gauge, added up. */
export function gauge(by: string, name: string, ...matchers: readonly string[]): string {
  return sumBy(by, metric(name, ...matchers));
}

/** Events a second. */
export function rate(by: string, counter: string, ...matchers: readonly string[]): string {
  return sumBy(by, `rate(${metric(counter, ...matchers)}[$__rate_interval])`);
}

/** Events a minute, which reads better for what should be rare. */
export function perMinute(by: string, counter: string): string {
  return `60 * ${rate(by, counter)}`;
}

/** Only those that happen: the counters of all kinds exist from the start, at 0. */
export function kindsPerMinute(by: string, counter: string): string {
  return `${perMinute(by, counter)} > 0`;
}

/** Events within the dashboard's time range, for tables. */
export function inRange(by: string, counter: string, ...matchers: readonly string[]): string {
  return sumBy(by, `increase(${metric(counter, ...matchers)}[$__range])`);
}

export function quantile(q: number, by: string, histogram: string): string {
  return `histogram_quantile(${q}, ${sumBy(withLe(by), `rate(${metric(`${histogram}_bucket`)}[$__rate_interval])`)})`;
}

export function quantileInRange(q: number, by: string, histogram: string): string {
  return `histogram_quantile(${q}, ${inRange(withLe(by), `${histogram}_bucket`)})`;
}

/** How many observations fell into each bucket: the cells of a heatmap. */
export function buckets(histogram: string): string {
  return sumBy("le", `increase(${metric(`${histogram}_bucket`)}[$__rate_interval])`);
}

export function mean(by: string, histogram: string): string {
  return `${inRange(by, `${histogram}_sum`)} / (${inRange(by, `${histogram}_count`)} > 0)`;
}

/**
 * Seconds spent per second: how many connections were in use, or callers waiting, on average. It counts what comes
 * and goes between two scrapes, which a gauge does not see. Time is credited when it ends.
 */
export function atOnce(by: string, histogram: string): string {
  return rate(by, `${histogram}_sum`);
}

export function atOnceInRange(by: string, histogram: string): string {
  return `${inRange(by, `${histogram}_sum`)} / $__range_s`;
}

export function used(by: string): string {
  return gauge(by, "db_client_connection_count", 'db_client_connection_state="used"');
}

export function idle(by: string): string {
  return gauge(by, "db_client_connection_count", 'db_client_connection_state="idle"');
}

export function limit(by: string): string {
  return gauge(by, "db_client_connection_limit");
}

/** What servers give to applications: as the bundled rules have it where they are loaded, else the text above. */
export function available(): string {
  const recorded = "server:postgresql_connections_available:max";
  const chosen = `${recorded} and on (${SERVER}) ${limit(SERVER)}`;
  // The name of what is recorded goes, or it would be another series than the text.
  return `max by (${SERVER}) (${chosen} or 0 * ${limit(SERVER)} + $max_connections)`;
}

export function utilization(by: string): string {
  return `${used(by)} / (${limit(by)} > 0)`;
}

/** The largest of single pools in single processes. */
export function worstUtilization(by: string): string {
  return maxBy(by, utilization(POOL));
}

/** 0 to 4, as `STATES` names them; the worst that holds. */
export function state(): string {
  return [
    `(${gauge(POOL, "poolscope_pool_stalled_seconds")} > 5) * 0 + 4`,
    `(${rate(POOL, "poolscope_pool_connect_failures_total")} > 0) * 0 + 3`,
    `(${gauge(POOL, "db_client_connection_pending_requests")} > 0) * 0 + 2`,
    `(${utilization(POOL)} >= 0.75) * 0 + 1`,
    `${utilization(POOL)} * 0`,
  ].join(" or ");
}

/** Failed queries among all. Where none ever failed, the numerator is 0 rather than absent. */
export function errorRatio(by: string): string {
  const all = `${DURATION}_count`;
  return `(${rate(by, all, 'error_type!=""')} or 0 * ${rate(by, all)}) / (${rate(by, all)} > 0)`;
}

export function errorRatioInRange(by: string): string {
  const all = `${DURATION}_count`;
  return `(${inRange(by, all, 'error_type!=""')} or 0 * ${inRange(by, all)}) / (${inRange(by, all)} > 0)`;
}

function withLe(by: string): string {
  return by === "" ? "le" : `${by}, le`;
}
