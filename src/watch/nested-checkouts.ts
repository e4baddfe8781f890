import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { Deadlocks } from "./deadlocks.ts";
import type { Hold } from "./hold.ts";

/** What an asynchronous flow of the application asked for: a chain, innermost first. */
interface Frame {
  /** Stands for one pool: a flow may outlive the pool, and must not keep it. */
  readonly pool: object;
  readonly hold: Hold;
  /** This flow has the connection: it was called with it, or it has used it. */
  readonly isOwn: boolean;
  readonly outer: Frame | undefined;
}

/** A connection that a flow holds. */
interface NestedHold {
  /** Stands for its pool. */
  readonly pool: object;
  readonly hold: Hold;
}

const NONE: readonly NestedHold[] = [];

/** Published in the flow of each request that a server gets. https://nodejs.org/api/diagnostics_channel.html#http */
const REQUEST_STARTS = "http.server.request.start";
/** So many turns of the microtask queue after a promise was resolved, the flow that awaits it has gone on. */
const TURNS = 16;

/**
 * Tells whether a flow that asks for a connection holds one of the same pool already.
 *
 * It follows flows with AsyncLocalStorage. A flow that asks by a promise is marked before it awaits, and with it, without
 * being distinguishable, what is started beside it until it does: a server, a timer, another flow. So the mark alone is no
 * hold. A marked flow has the connection when it asks for the next one right after it was handed out, or once it has used
 * it; and so has the callback that is called with it. What is started there inherits that, but for the requests of an HTTP
 * server, which nothing in the process waits for.
 */
export class NestedCheckouts {
  readonly deadlocks: Deadlocks = new Deadlocks();
  readonly #flow = new AsyncLocalStorage<Frame | undefined>();
  /** Handed out in this moment, by a promise. */
  readonly #fresh = new Set<Hold>();
  readonly #begin = (): void => this.#flow.enterWith(undefined);

  constructor() {
    subscribe(REQUEST_STARTS, this.#begin);
  }

  stop(): void {
    unsubscribe(REQUEST_STARTS, this.#begin);
  }

  /**
   * What the present flow holds, innermost first. Not a connection on which a statement runs: then the flow of its holder
   * is elsewhere, and this one was begun beside it.
   */
  holds(): readonly NestedHold[] {
    let holds: NestedHold[] | undefined;
    for (let frame = this.#flow.getStore(); frame; frame = frame.outer) {
      const { hold, pool, isOwn } = frame;
      if (!hold.isHeld || !(isOwn || this.#fresh.has(hold))) continue;
      if (hold.connection?.activity !== "executing") {
        holds ??= [];
        holds.push({ pool, hold });
      }
    }
    return holds ?? NONE;
  }

  /** The present flow asks for a connection, by a promise. */
  asks(pool: object, hold: Hold): void {
    const outer = this.#held();
    this.#flow.enterWith({ pool, hold, isOwn: false, outer });
  }

  /** The promise of a connection is being resolved. */
  handedOut(hold: Hold): void {
    this.#fresh.add(hold);
    let turns = TURNS;
    const turn = (): void => {
      if (--turns > 0) queueMicrotask(turn);
      else this.#fresh.delete(hold);
    };
    queueMicrotask(turn);
  }

  /** The present flow uses a connection that is held. One that did not ask for it does not hold it. */
  uses(pool: object, hold: Hold): void {
    let hasAsked = false;
    for (let frame = this.#flow.getStore(); frame; frame = frame.outer) {
      if (frame.hold !== hold) continue;
      if (frame.isOwn) return;
      hasAsked = true;
    }
    if (hasAsked) this.#flow.enterWith({ pool, hold, isOwn: true, outer: this.#held() });
  }

  /** A callback that will be called with the connection, from wherever it became free: in the flow that gave it. */
  // biome-ignore lint/suspicious/noExplicitAny: a callback of any signature
  keep<F extends (...args: any[]) => unknown>(callback: F, pool: object, hold: Hold): F {
    const frame: Frame = { pool, hold, isOwn: true, outer: this.#held() };
    const flow = this.#flow;
    return function (this: unknown, ...args: unknown[]): unknown {
      // What `run` does, with fewer frames on the application's stacks.
      const before = flow.getStore();
      flow.enterWith(frame);
      try {
        return Reflect.apply(callback, this, args);
      } finally {
        flow.enterWith(before);
      }
    } as F;
  }

  /** Does what must not stay with the present flow: the events of a socket are no part of what opened it. */
  outside<T>(act: () => T): T {
    const flow = this.#flow;
    const before = flow.getStore();
    if (!before) return act();
    flow.enterWith(undefined);
    try {
      return act();
    } finally {
      flow.enterWith(before);
    }
  }

  /** What is over is dropped, so that a loop does not grow a chain; what is pending is a sibling's. */
  #held(): Frame | undefined {
    let frame = this.#flow.getStore();
    while (frame && !frame.hold.isHeld) frame = frame.outer;
    return frame;
  }
}
