import { setTimeout as pause } from "node:timers/promises";
import type pg from "pg";
import {
  drain,
  flush,
  type PoolRecycling,
  type Poolscope,
  type PoolWatch,
  poolscope,
  recycle,
  warm,
} from "../../src/index.ts";
import { type Application, makeApplication, type Server } from "./application.ts";
import { Callers } from "./callers.ts";
import { checkEnded, checkSettled } from "./checks.ts";
import type { EventOrder } from "./event-order.ts";
import { lagSince } from "./lag.ts";
import { Link } from "./link.ts";
import { Mistakes } from "./mistakes.ts";
import type { Plan, Step } from "./plan.ts";
import { currentRun, type Timers } from "./timers.ts";

/** What stands between the application and pg-pool. */
export type Subject = "bare" | "watched" | "recycled";

export interface Finding {
  readonly seed: number;
  readonly subject: Subject;
  readonly kind: string;
  readonly detail: string;
  /** The step after which it was found. */
  readonly step: number;
}

export interface World {
  readonly server: Server;
  /** Asks the server itself, on a connection that no run has anything to do with. */
  ask(sql: string, ...values: string[]): Promise<{ n?: unknown }[]>;
  /** Writes down what is about to be done, in case the process does not survive it. */
  journal(line: string): void;
}

const DRAIN_MILLIS = 300;
/** After these a pool is dead: what follows would be found for the same reason. */
const FATAL: ReadonlySet<string> = new Set([
  "connect() does not work",
  "max cannot be had",
  "never answered",
]);
const SLACK_MILLIS = 900;

/** One plan played with one subject. */
export class Run {
  /** A healthy pool on a busy machine needs no more for anything. */
  readonly patienceMillis = 8_000;
  readonly plan: Plan;
  readonly subject: Subject;
  readonly name: string;
  readonly findings: Finding[] = [];
  readonly timers: Timers = { made: [] };
  readonly mistakes: Mistakes;
  readonly world: World;
  readonly link: Link;
  readonly pool: pg.Pool;
  readonly dials: Application["dials"];
  readonly callers: Callers;
  readonly events: EventOrder;
  /** The pool's own properties before anything was done to it. */
  readonly ownKeys: readonly PropertyKey[];
  scope: Poolscope | undefined;
  watch: PoolWatch | undefined;
  recycling: PoolRecycling | undefined;
  /** The pool was like a bare one for a while: what it did then is judged like one. */
  wasStopped = false;
  wasWatched = false;
  openBeforeWatch = 0;
  /** Callers when the server was last seen well. */
  callersBefore = 0;
  #step = -1;

  private constructor(plan: Plan, subject: Subject, world: World, link: Link) {
    this.plan = plan;
    this.subject = subject;
    this.world = world;
    this.link = link;
    this.name = `fuzz-${plan.seed}-${subject}`;
    this.mistakes = new Mistakes(plan);
    const found = (kind: string, detail: string) => this.found(kind, detail);
    const { server } = world;
    const { pool, dials, events } = makeApplication(this.name, plan.pool, server, link, this.mistakes, found);
    this.pool = pool;
    this.dials = dials;
    this.events = events;
    this.callers = new Callers(pool, this.mistakes, limitOf(plan), found);
    this.ownKeys = Reflect.ownKeys(pool);
  }

  /** Plays the plan to its end and leaves nothing open. */
  static async play(plan: Plan, subject: Subject, world: World): Promise<Run> {
    const link = await Link.open(world.server.port);
    const run = new Run(plan, subject, world, link);
    await currentRun.run(run, () => run.#play());
    return run;
  }

  get isRecycled(): boolean {
    return this.recycling !== undefined;
  }

  /** Dials that neither succeed nor fail: nothing ends them but `connectionTimeoutMillis`. */
  get hangingDials(): number {
    const at = performance.now();
    return [...this.dials.values()].filter((since) => at - since - 2 * lagSince(since) > 700).length;
  }

  /** Places that a bare pool would have lost too: by mistakes, and by one dial into silence for each who asked. */
  get lostSlots(): number {
    const asked = this.callers.all.length - this.callersBefore;
    const hanging = this.plan.pool.connectionTimeoutMillis > 0 ? 0 : Math.min(this.hangingDials, asked);
    return this.mistakes.excuses.slots + hanging;
  }

  get lostCallers(): number {
    // With no place left no caller can be served.
    if (this.lostSlots >= this.plan.pool.max) return Number.POSITIVE_INFINITY;
    return this.lostSlots - this.mistakes.excuses.slots + this.mistakes.excuses.callers;
  }

  found(kind: string, detail: string): void {
    if (this.findings.some((finding) => finding.kind === kind)) return;
    this.findings.push({ seed: this.plan.seed, subject: this.subject, kind, detail, step: this.#step });
  }

  /** Waits for a condition; false when it did not come within a healthy pool's time. */
  async within(
    condition: () => boolean | Promise<boolean>,
    millis: number = this.patienceMillis,
  ): Promise<boolean> {
    const since = performance.now();
    for (;;) {
      if (await condition()) return true;
      if (performance.now() - since > millis + 2 * lagSince(since)) return false;
      await pause(4);
    }
  }

  async #play(): Promise<void> {
    const { plan, subject } = this;
    try {
      if (subject !== "bare") {
        this.scope = poolscope({ sampleIntervalMillis: 0, processes: 0, logger: this.#logger() });
        if (plan.watch === "first") this.#watch();
        if (subject === "recycled") this.#recycle();
        if (plan.watch === "after") this.#watch();
      }
      for (const [index, step] of plan.steps.entries()) {
        this.#step = index;
        this.world.journal(`${plan.seed} ${subject} step ${index}: ${step.do}`);
        await this.#do(step);
        if (this.pool.totalCount > plan.pool.max)
          this.found("above max", `${this.pool.totalCount} connections`);
        if (this.findings.some(({ kind }) => FATAL.has(kind))) break;
      }
    } catch (error) {
      this.found("the fuzz itself", (error as Error).stack ?? String(error));
    } finally {
      await this.#close();
    }
  }

  async #do(step: Step): Promise<void> {
    const { pool, callers, link } = this;
    const isSubject = this.subject === "recycled";
    if (step.do === "burst") for (const caller of step.callers) callers.ask(caller);
    else if (step.do === "pause") await pause(step.millis);
    else if (step.do === "link") link.change(step.mode, step.standing, step.delayMillis);
    else if (step.do === "terminate") await this.#terminate();
    else if (step.do === "warm" && isSubject) {
      callers.follow("warm", () => warm(pool, { connections: step.connections }));
    } else if (step.do === "flush" && isSubject) flush(pool);
    else if (step.do === "stop" && isSubject) this.#stop();
    else if (step.do === "recycle" && isSubject) {
      this.#stop();
      this.#recycle();
    } else if (step.do === "watch") this.#watch();
    else if (step.do === "unwatch") this.#unwatch();
    else if (step.do === "settle") {
      link.heal(step.residue);
      await checkSettled(this);
      this.callersBefore = callers.all.length - callers.unanswered.length;
    } else if (step.do === "end") await this.#end(step.how);
  }

  async #end(how: "end" | "drain"): Promise<void> {
    const { pool, callers } = this;
    const isDrained = how === "drain" && this.subject === "recycled";
    // pg-pool never serves its queue again once it is ending.
    const forgotten = this.isRecycled ? 0 : callers.unanswered.length;
    // Holders who return what was cut off release what is removed; what never was connected is removed too.
    if (isDrained) this.events.isCutOff = true;
    const end = callers.follow("end", () =>
      isDrained ? drain(pool, { timeoutMillis: DRAIN_MILLIS }) : pool.end(),
    );
    await checkEnded(this, end, isDrained, forgotten);
  }

  #watch(): void {
    if (this.watch || !this.scope) return;
    this.watch = this.scope.watch(this.pool, { name: "orders" });
    this.wasWatched = true;
    this.openBeforeWatch = this.pool.totalCount - this.dials.size;
  }

  #unwatch(): void {
    this.watch?.unwatch();
    this.watch = undefined;
  }

  #recycle(): void {
    this.recycling = recycle(this.pool, { ...this.plan.recycle, logger: this.#logger() });
  }

  #stop(): void {
    this.recycling?.stop();
    this.recycling = undefined;
    this.wasStopped = true;
  }

  #logger() {
    const check = (line: string) => {
      if (this.mistakes.made.length === 0 && /mistake|internal error/i.test(line))
        this.found("fault logged", line);
    };
    return { debug: () => {}, info: () => {}, warn: check, error: check };
  }

  async #terminate(): Promise<void> {
    const sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1";
    await this.world.ask(sql, this.name);
  }

  async #close(): Promise<void> {
    this.mistakes.isOff = true;
    this.recycling?.stop();
    await this.scope?.shutdown();
    if (!this.pool.ending) this.pool.end().catch(() => {});
    await this.link.close();
  }
}

/** Longest time to an answer with `connectionTimeoutMillis`, which holds whatever happens to the dial. */
function limitOf({ pool }: Plan): number {
  if (pool.connectionTimeoutMillis === 0) return Number.POSITIVE_INFINITY;
  return 1.5 * pool.connectionTimeoutMillis + pool.query_timeout + SLACK_MILLIS;
}
