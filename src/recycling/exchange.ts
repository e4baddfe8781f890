import { AsyncResource } from "node:async_hooks";
import { type ClientInside, type IdleListener, queueOf } from "./inside.ts";

/** How a question of ours ended: answered, refused or cut off, or not answered in time. */
export type Outcome = "answered" | "failed" | "silent";

/** Answered by EmptyQueryResponse: no plan, no snapshot, no entry in pg_stat_statements, and allowed in any transaction. */
export const PING = "-- poolscope: are you there?";

/**
 * Asks the server something on a client nobody holds. The question goes into the client's own queue and not through
 * `client.query`: it is not the application's, and nobody who counts or traces queries gets to see it.
 *
 * Meanwhile the client's errors are ours: pg-pool's listener, which would make an error of the pool of them, comes back
 * when the client has proved well. A client that did not keeps an empty one, as pg-pool's own do, because a dead
 * connection may break more than once.
 */
export function exchange(
  client: ClientInside,
  idleListener: IdleListener,
  text: string,
  timeoutMillis: number,
  done: (outcome: Outcome) => void,
): void {
  // The answer comes in the asynchronous context of whoever opened the connection.
  const tell = AsyncResource.bind(done);
  let isOver = false;
  const onError = () => finish("failed");
  const finish = (outcome: Outcome) => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    if (outcome === "answered") {
      client.on("error", idleListener);
      client.removeListener("error", onError);
    }
    tell(outcome);
  };
  client.on("error", onError);
  client.removeListener("error", idleListener);
  const timer = setTimeout(finish, timeoutMillis, "silent" as const).unref();
  try {
    ask(client, text, finish);
  } catch {
    finish("failed");
  }
}

function ask(client: ClientInside, text: string, finish: (outcome: Outcome) => void): void {
  const queue = queueOf(client);
  if (!client.connection || !queue || typeof client._pulseQueryQueue !== "function") {
    // pg.native, or a client of another make.
    client.query(text === PING ? "SELECT 1" : text, (error) => finish(error ? "failed" : "answered"));
    return;
  }
  queue.push(new Question(text, finish));
  client._pulseQueryQueue();
}

/** What pg calls on the query it is working on. https://node-postgres.com/apis/client#clientquery */
class Question {
  /** Looked at by pg; a question has none. */
  readonly name: undefined;
  readonly callback: () => void = () => {};
  readonly text: string;
  readonly #finish: (outcome: Outcome) => void;
  #isRefused = false;

  constructor(text: string, finish: (outcome: Outcome) => void) {
    this.text = text;
    this.#finish = finish;
  }

  submit(connection: { query(text: string): void }): void {
    connection.query(this.text);
  }

  handleReadyForQuery(): void {
    this.#finish(this.#isRefused ? "failed" : "answered");
  }

  handleError(): void {
    this.#isRefused = true;
    this.#finish("failed");
  }

  handleEmptyQuery(): void {}
  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handlePortalSuspended(): void {}
}
