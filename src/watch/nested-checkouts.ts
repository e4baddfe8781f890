import { AsyncLocalStorage } from "node:async_hooks";
import type { Hold } from "./hold.ts";

/** What an asynchronous flow of the application holds: a chain, innermost first. */
interface Frame {
  readonly pool: object;
  readonly hold: Hold;
  readonly outer: Frame | undefined;
}

/**
 * Tells whether a flow that asks for a connection holds one of the same pool already.
 *
 * It follows flows with AsyncLocalStorage. A flow that is started while another, begun in the same tick, still waits for
 * its connection is not inside that one: `Promise.all([load(), load()])` is no nesting. What cannot be told apart is a
 * flow started between another's request and its first `await`, which asks only later: it may be warned of for nothing.
 */
export class NestedCheckouts {
  readonly #flow = new AsyncLocalStorage<Frame | undefined>();

  /** What the present flow holds of `pool`. */
  holdOf(pool: object): Hold | undefined {
    for (let frame = this.#flow.getStore(); frame; frame = frame.outer) {
      if (frame.pool === pool && frame.hold.isHeld) return frame.hold;
    }
    return undefined;
  }

  /** The present flow asks for a connection. */
  enter(pool: object, hold: Hold): void {
    let outer = this.#flow.getStore();
    // What is over is dropped, so that a loop does not grow a chain; what is pending is a sibling's.
    while (outer && !outer.hold.isHeld) outer = outer.outer;
    this.#flow.enterWith({ pool, hold, outer });
  }
}
