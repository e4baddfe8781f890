import { setTimeout as pause } from "node:timers/promises";
import type pg from "pg";
import { lagSince } from "./lag.ts";
import { ApplicationMistake, type Mistakes } from "./mistakes.ts";
import type { CallerPlan, Use } from "./plan.ts";

/** One request to the pool and its answers: there must be exactly one. */
export interface Caller {
  readonly id: number;
  readonly by: CallerPlan["by"] | "warm" | "end" | "probe";
  readonly askedAt: number;
  answers: number;
  error: Error | undefined;
}

type Found = (kind: string, detail: string) => void;
type Settle = (error: unknown, value?: unknown) => void;

let lastNumber = 0;

/** All callers of one pool. Checks each answer: one for each caller, in time, with an error and rows of its own. */
export class Callers {
  readonly all: Caller[] = [];
  /** Those who hold a client they have not released. */
  holders = 0;
  readonly #pool: pg.Pool;
  readonly #mistakes: Mistakes;
  readonly #found: Found;
  readonly #limitMillis: number;
  readonly #errors = new WeakSet<object>();
  readonly #held = new Set<object>();

  /** @param limitMillis Longest time to an answer; infinite where only the server's state decides. */
  constructor(pool: pg.Pool, mistakes: Mistakes, limitMillis: number, found: Found) {
    this.#pool = pool;
    this.#mistakes = mistakes;
    this.#limitMillis = limitMillis;
    this.#found = found;
  }

  get unanswered(): Caller[] {
    return this.all.filter((caller) => caller.answers === 0);
  }

  /** Asks, and uses what comes. Never rejects. */
  ask(plan: CallerPlan): void {
    if (plan.by === "query" || plan.by === "query callback") this.#query(plan);
    else this.#connect(plan);
  }

  /** A request that is not for this pool's clients alone: it has to settle, whatever it answers. */
  follow(by: "warm" | "end", start: () => Promise<unknown>): Caller {
    const [caller, settle] = this.#begin(by, Number.POSITIVE_INFINITY);
    try {
      start().then((value) => settle(undefined, value), settle);
    } catch (error) {
      settle(error);
    }
    return caller;
  }

  /** A client, or undefined when none could be had within the time. One that comes later is released. */
  async take(millis: number): Promise<pg.PoolClient | undefined> {
    const [, settle] = this.#begin("probe", this.#limitMillis);
    const controller = new AbortController();
    let isLate = false;
    const taken = new Promise<pg.PoolClient | undefined>((resolve) => {
      const done = (error: unknown, client?: pg.PoolClient) => {
        settle(error);
        if (isLate) client?.release();
        resolve(client);
        controller.abort();
      };
      try {
        this.#pool.connect(done);
      } catch (error) {
        done(error);
      }
    });
    const late = pause(millis, undefined, { signal: controller.signal }).catch(() => undefined);
    const client = await Promise.race([taken, late]);
    isLate = client === undefined;
    return client;
  }

  /** Whether a client answers, with what it was asked. It is released. */
  async isAnswering(client: pg.PoolClient): Promise<boolean> {
    let error: Error | undefined;
    try {
      await this.#select(client);
    } catch (reason) {
      error = reason as Error;
    }
    this.#release(client.release, error);
    return error === undefined;
  }

  #begin(by: Caller["by"], limitMillis: number): [Caller, Settle] {
    const caller: Caller = {
      id: this.all.length,
      by,
      askedAt: performance.now(),
      answers: 0,
      error: undefined,
    };
    this.all.push(caller);
    const settle: Settle = (error) => {
      caller.answers++;
      if (caller.answers > 1)
        this.#found("answered twice", `caller ${caller.id} (${by}) answered ${caller.answers} times`);
      if (error === undefined || error === null) return;
      if (!(error instanceof Error)) {
        this.#found("no error", `caller ${caller.id} (${by}) was given ${String(error)}`);
        return;
      }
      caller.error = error;
      if (this.#errors.has(error))
        this.#found("shared error", `caller ${caller.id} (${by}): ${error.message}`);
      this.#errors.add(error);
      const millis = performance.now() - caller.askedAt - 2 * lagSince(caller.askedAt);
      if (millis > limitMillis) {
        const limit = `${millis.toFixed(0)} ms, of ${limitMillis}: ${error.message}`;
        this.#found("answered late", `caller ${caller.id} (${by}) after ${limit}`);
      }
    };
    return [caller, settle];
  }

  #query({ by, use }: CallerPlan): void {
    const [, settle] = this.#begin(by, this.#limitMillis);
    const number = ++lastNumber;
    const text = {
      "failing statement": "SELECT 1/0",
      "slow statement": "SELECT pg_sleep(0.03)",
      "overlong statement": "SELECT pg_sleep(0.6)",
    }[use as string];
    const done = (error: unknown, result?: pg.QueryResult) => {
      settle(error);
      if (!error && text === undefined) this.#compare(result, number);
    };
    try {
      const [statement, values] = text === undefined ? ["SELECT $1::int AS n", [number]] : [text, []];
      if (by === "query callback") this.#pool.query(statement, values, done);
      else this.#pool.query(statement, values).then((result) => done(undefined, result), done);
    } catch (error) {
      done(error);
    }
  }

  #connect({ by, use, holdMillis }: CallerPlan): void {
    const [, settle] = this.#begin(by, this.#limitMillis);
    // Where pg-pool itself would not be harmed: an idle client is handed out on a stack of its own.
    const mayThrow = by === "connect callback" && this.#pool.idleCount > this.#pool.waitingCount;
    const done = (error: unknown, client?: pg.PoolClient) => {
      settle(error);
      if (!client) return;
      if (mayThrow && this.#mistakes.isMade("callback-throws")) {
        client.release();
        throw new ApplicationMistake("callback-throws");
      }
      void this.#use(client, use, holdMillis);
    };
    try {
      if (by === "connect callback") this.#pool.connect(done);
      else this.#pool.connect().then((client) => done(undefined, client), done);
    } catch (error) {
      if (!(error instanceof ApplicationMistake && error.message === "callback-throws")) done(error);
    }
  }

  async #use(client: pg.PoolClient, use: Use, holdMillis: number): Promise<void> {
    if (this.#held.has(client)) this.#found("held twice", "a client was handed to a second holder");
    this.#held.add(client);
    this.holders++;
    // The client gets another `release` with its next holder.
    const { release } = client;
    let error: Error | undefined;
    try {
      await this.#work(client, use);
      if (holdMillis > 0) await pause(holdMillis);
    } catch (reason) {
      error = reason as Error;
    }
    this.#held.delete(client);
    this.holders--;
    if (use === "released as broken") this.#release(release, true);
    else if (use === "released with an error") this.#release(release, new Error("a holder's own"));
    // Some holders know better than others when a client is broken.
    else
      this.#release(release, error && !/division/.test(error.message) && holdMillis % 2 ? error : undefined);
    if (use === "released twice") {
      try {
        release();
        this.#found("released twice", "the second release was taken");
      } catch {
        // As it should be.
      }
    }
  }

  async #work(client: pg.PoolClient, use: Use): Promise<void> {
    if (use === "failing statement") await client.query("SELECT 1/0");
    else if (use === "slow statement") await client.query("SELECT pg_sleep(0.03)");
    else if (use === "overlong statement") await client.query("SELECT pg_sleep(0.6)");
    else if (use === "left running") client.query("SELECT pg_sleep(0.05)").catch(() => {});
    else if (use === "left in a transaction") {
      await client.query("BEGIN");
      await this.#select(client);
    } else if (use === "transaction") {
      await client.query("BEGIN");
      await this.#select(client);
      await client.query("COMMIT");
    } else {
      await this.#select(client);
      if (use === "two selects") await this.#select(client);
    }
  }

  async #select(client: pg.PoolClient): Promise<void> {
    const number = ++lastNumber;
    this.#compare(await client.query("SELECT $1::int AS n", [number]), number);
  }

  #compare(result: pg.QueryResult | undefined, number: number): void {
    const given = JSON.stringify(result?.rows);
    if (given !== `[{"n":${number}}]`) this.#found("other rows", `asked for ${number}, was given ${given}`);
  }

  #release(release: pg.PoolClient["release"], error?: Error | boolean): void {
    try {
      release(error);
    } catch (reason) {
      // A listener's or a waiter's own mistake comes out here, as it does from a bare pool.
      if (!(reason instanceof ApplicationMistake)) this.#found("release threw", String(reason));
    }
  }
}
