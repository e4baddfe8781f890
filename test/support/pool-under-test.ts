import type pg from "pg";
import { CLOSED_PORT, makePool } from "./pools.ts";
import { until } from "./until.ts";

// Long enough for a dial on a machine that runs everything at once.
const WAIT_TIMEOUT_MILLIS = 250;

/**
 * A real pool and beside it what a bystander knows to be true of it: who holds a client, who is in the queue, what was
 * handed out. Nothing here looks at poolscope.
 */
export class PoolUnderTest {
  readonly name: string;
  readonly pool: pg.Pool;
  readonly held: pg.PoolClient[] = [];
  readonly queued: Promise<unknown>[] = [];
  requests = 0;
  checkouts = 0;
  waits = 0;
  waitTimeouts = 0;
  refused = 0;
  releases = 0;
  opened = 0;
  peakUsed = 0;
  peakWaiting = 0;
  #closed = 0;
  readonly #isDown: boolean;

  constructor(name: string, max: number, isDown: boolean) {
    this.name = name;
    this.#isDown = isDown;
    this.pool = makePool({
      max,
      connectionTimeoutMillis: WAIT_TIMEOUT_MILLIS,
      idleTimeoutMillis: 0,
      ...(isDown && { port: CLOSED_PORT }),
    });
    this.pool.on("connect", () => this.opened++);
    this.pool.on("remove", () => this.#closed++);
  }

  get isFull(): boolean {
    return this.held.length >= this.pool.options.max;
  }

  get closed(): number {
    return this.#closed;
  }

  /** Asks for a client; when there is none, stays in the queue. */
  async connect(byCallback: boolean): Promise<void> {
    this.requests++;
    const mustWait = this.isFull && !this.#isDown;
    const request = byCallback
      ? new Promise<pg.PoolClient>((resolve, reject) => {
          this.pool.connect((error, client) => (client ? resolve(client) : reject(error)));
        })
      : this.pool.connect();
    const outcome = request.then(
      (client) => {
        this.checkouts++;
        this.held.push(client);
        this.peakUsed = Math.max(this.peakUsed, this.held.length);
      },
      () => {
        if (this.#isDown) this.refused++;
        else this.waitTimeouts++;
      },
    );
    if (!mustWait) return outcome;
    this.waits++;
    this.queued.push(outcome);
    this.peakWaiting = Math.max(this.peakWaiting, this.queued.length);
    void outcome.then(() => this.queued.splice(this.queued.indexOf(outcome), 1));
  }

  /** Gives the oldest held client back; who is first in the queue gets it. */
  async release(error?: Error): Promise<void> {
    const client = this.held.shift();
    if (!client) return;
    const next = this.queued[0];
    client.release(error);
    this.releases++;
    if (next) await next;
  }

  async query(sql: string): Promise<void> {
    this.requests++;
    const isFull = this.isFull;
    if (isFull) {
      if (!this.#isDown) this.waits++;
      this.peakWaiting = Math.max(this.peakWaiting, this.#isDown ? 0 : this.queued.length + 1);
    } else if (!this.#isDown) {
      this.peakUsed = Math.max(this.peakUsed, this.held.length + 1);
    }
    const error = await this.pool.query(sql).then(
      () => undefined,
      (reason: Error) => reason,
    );
    if (this.#isDown) this.refused++;
    else if (isFull) this.waitTimeouts++;
    else this.checkouts++;
    if (!this.#isDown && !isFull) this.releases++;
    if (!error && (this.#isDown || isFull)) throw new Error("a query got through that should not have");
  }

  /** Everyone in the queue gives up. */
  async timeOut(): Promise<void> {
    await Promise.all(this.queued);
  }

  async end(): Promise<void> {
    await this.timeOut();
    const ended = this.pool.end();
    while (this.held.length > 0) await this.release();
    await ended;
    await this.settle();
  }

  /** Until the pool has closed what it is closing: `remove` comes only when the server has said goodbye. */
  async settle(): Promise<void> {
    await until(() => this.opened - this.#closed === this.pool.totalCount);
  }
}
