import type pg from "pg";

type State = "opened" | "acquired" | "released" | "removed";

/** Whether a pool's public events come in an order that can be true. */
export class EventOrder {
  readonly #states = new Map<object, State>();
  readonly #found: (detail: string) => void;
  /** Clients are closed while they are held or dialed, as `drain()` is asked to. */
  isCutOff = false;
  opened = 0;
  removed = 0;

  /** @param hasHook A connection may break in `onConnect`, before anything is known of it. */
  constructor(pool: pg.Pool, hasHook: boolean, found: (detail: string) => void) {
    this.#found = found;
    pool.on("connect", (client) => {
      this.opened++;
      this.#move(client, "opened", undefined);
    });
    pool.on("acquire", (client) => this.#move(client, "acquired", "opened", "released"));
    pool.on("release", (_error, client) => this.#move(client as object, "released", "acquired"));
    pool.on("remove", (client) => {
      this.removed++;
      // Twice when it breaks while it is being closed.
      this.#move(
        client,
        "removed",
        "opened",
        "released",
        "acquired",
        "removed",
        ...(hasHook ? [undefined] : []),
      );
    });
  }

  #move(client: object, to: State, ...from: readonly (State | undefined)[]): void {
    const was = this.#states.get(client);
    if (this.isCutOff && (was === "removed" || to === "removed")) return;
    if (!from.includes(was)) this.#found(`${to} after ${was ?? "nothing"}`);
    this.#states.set(client, to);
  }
}
