import type { AssessedReading } from "../health/assess.ts";
import type { Alert } from "./alert.ts";
import type { Meter, Rule } from "./rules.ts";

/** One rule broken by one pool, now. */
interface Active {
  state: "pending" | "firing";
  readonly since: string;
  readonly sinceAt: number;
  value: number;
  /** The last reading in which it was. */
  reading: AssessedReading;
}

/** What is known of one rule and one pool. */
interface Watch {
  readonly meter: Meter;
  active: Active | undefined;
}

/**
 * Holds each sample against the rules. From `enter` on a rule is pending, and when it has stayed there for `forMillis`
 * it fires, once; below `leave` it is resolved, once. Between the two nothing changes: a pool that hovers at a threshold
 * does not fill the log. A sample that was lost is no sample: it neither fires nor resolves anything.
 */
export class AlertEngine {
  readonly #rules: readonly Rule[];
  readonly #service: () => string | undefined;
  readonly #tell: (alert: Alert) => void;
  readonly #pools = new Map<string, Map<Rule, Watch>>();
  /** What is to be told. Who is told may watch another pool or end the scope: what was decided before comes first. */
  readonly #untold: Alert[] = [];
  #isTelling = false;

  /** @param tell Is told what fires and what is resolved */
  constructor(rules: readonly Rule[], service: () => string | undefined, tell: (alert: Alert) => void) {
    this.#rules = rules;
    this.#service = service;
    this.#tell = tell;
  }

  /**
   * One sample of all watched pools.
   *
   * @param at When, in milliseconds of a clock that never goes back
   */
  look(readings: readonly AssessedReading[], at: number = performance.now()): void {
    for (const pool of [...this.#pools.keys()]) {
      if (!readings.some((reading) => reading.pool === pool)) this.#end(pool, "unwatched");
    }
    for (const reading of readings) {
      for (const [rule, watch] of this.#watches(reading.pool)) this.#judge(rule, watch, reading, at);
    }
    this.#tellAll();
  }

  /** A pool that is gone, or gives its name to a new one, has no alerts. */
  forget(pool: string): void {
    this.#end(pool, "unwatched");
    this.#tellAll();
  }

  end(): void {
    for (const pool of [...this.#pools.keys()]) this.#end(pool, "shutdown");
    this.#tellAll();
  }

  /** What is pending or firing, of one pool or of all, as the last sample saw it. */
  list(pool?: string): Alert[] {
    const names = pool === undefined ? [...this.#pools.keys()] : [pool];
    return names.flatMap((name) =>
      [...(this.#pools.get(name) ?? [])].flatMap(([rule, { active }]) =>
        active ? [this.#alert(rule, active)] : [],
      ),
    );
  }

  #end(pool: string, resolution: "unwatched" | "shutdown"): void {
    const watches = this.#pools.get(pool);
    this.#pools.delete(pool);
    for (const [rule, { active }] of watches ?? []) {
      if (active?.state !== "firing") continue;
      const because = resolution === "unwatched" ? "no longer watched" : "the scope was shut down";
      const was = rule.entered(active.reading, active.value);
      this.#resolved(rule, active, active.value, resolution, `${because}; it was: ${was}`);
    }
  }

  #watches(pool: string): Map<Rule, Watch> {
    let watches = this.#pools.get(pool);
    if (!watches) {
      watches = new Map(this.#rules.map((rule) => [rule, { meter: rule.meter(), active: undefined }]));
      this.#pools.set(pool, watches);
    }
    return watches;
  }

  #judge(rule: Rule, watch: Watch, reading: AssessedReading, at: number): void {
    const value = watch.meter(reading, at);
    if (value === undefined) return;
    const { active } = watch;
    if (active?.state === "firing") {
      if (value >= rule.leave) Object.assign(active, { value, reading });
      else {
        watch.active = undefined;
        this.#resolved(rule, active, value, "recovered", rule.left(reading, value, active.reading), reading);
      }
    } else if (value < rule.enter) {
      watch.active = undefined;
    } else {
      const { since, sinceAt } = active ?? { since: reading.timestamp, sinceAt: at };
      const isDue = at - sinceAt >= rule.forMillis;
      watch.active = { state: isDue ? "firing" : "pending", since, sinceAt, value, reading };
      if (isDue) this.#untold.push(this.#alert(rule, watch.active));
    }
  }

  #alert({ name, severity, enter, entered }: Rule, { state, value, since, reading }: Active): Alert {
    const { pool } = reading;
    const summary = `${pool} - ${entered(reading, value)}`;
    const service = this.#service();
    return Object.freeze({
      pool,
      rule: name,
      severity,
      state,
      value,
      threshold: enter,
      since,
      ...(service !== undefined && { service }),
      summary,
    });
  }

  #resolved(
    rule: Rule,
    active: Active,
    value: number,
    resolution: NonNullable<Alert["resolution"]>,
    what: string,
    { timestamp }: { timestamp: string } = { timestamp: new Date().toISOString() },
  ): void {
    const { pool } = active.reading;
    this.#untold.push(
      Object.freeze({
        ...this.#alert(rule, active),
        state: "resolved",
        value,
        threshold: rule.leave,
        resolvedAt: timestamp,
        resolution,
        summary: `${pool} - ${what}`,
      }),
    );
  }

  #tellAll(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      for (let alert = this.#untold.shift(); alert; alert = this.#untold.shift()) this.#tell(alert);
    } finally {
      this.#isTelling = false;
    }
  }
}
