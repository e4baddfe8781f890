import { beneathLayers } from "../watch/override.ts";
import { type ClientInside, queueOf } from "./pool-inside.ts";

/** Answered by EmptyQueryResponse: no plan, no snapshot, no entry in pg_stat_statements, and allowed in any transaction. */
export const PING = "-- poolscope: are you there?";

/**
 * Sends a statement on a client that no caller holds. It goes into the client's own queue and not through `client.query`:
 * it is not the application's, and whatever counts or traces queries does not see it.
 *
 * @param done Called when the server has answered, or the connection has failed the statement. May be called twice.
 */
export function ask(client: ClientInside, text: string, done: (isRefused: boolean) => void): void {
  const queue = queueOf(client);
  if (!queue || typeof client._pulseQueryQueue !== "function") {
    askAnother(client, text, done);
    return;
  }
  if (client.connection) queue.push(new Question(text, done));
  else {
    const { Query } = client.constructor as NativeClass;
    if (!Query) {
      askAnother(client, text, done);
      return;
    }
    queue.push(new Query(text === PING ? NATIVE_PING : text, undefined, (error) => done(Boolean(error))));
  }
  client._pulseQueryQueue();
}

/** libpq takes a comment alone for an error of its own. */
const NATIVE_PING = "SELECT 1";

/** The class of `pg.native`, which makes its own queries. */
interface NativeClass {
  readonly Query?: new (text: string, values: undefined, callback: (error?: unknown) => void) => object;
}

/** A client of another make: below what poolscope has put on it, to which the statement would be the application's. */
function askAnother(client: ClientInside, text: string, done: (isRefused: boolean) => void): void {
  const query = beneathLayers(client, "query");
  query.call(client, text === PING ? NATIVE_PING : text, (error) => done(Boolean(error)));
}

/** What pg calls on the query it is working on. https://node-postgres.com/apis/client#clientquery */
class Question {
  /** Read by pg; a question has none. */
  readonly name: undefined;
  readonly callback: () => void = () => {};
  readonly text: string;
  readonly #done: (isRefused: boolean) => void;
  #isRefused = false;

  constructor(text: string, done: (isRefused: boolean) => void) {
    this.text = text;
    this.#done = done;
  }

  submit(connection: { query(text: string): void }): void {
    connection.query(this.text);
  }

  handleReadyForQuery(): void {
    this.#done(this.#isRefused);
  }

  handleError(): void {
    this.#isRefused = true;
    this.#done(true);
  }

  handleEmptyQuery(): void {}
  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handlePortalSuspended(): void {}
}
