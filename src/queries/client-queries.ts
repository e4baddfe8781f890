import type { PgClient } from "../watch/pg-types.ts";
import type { ConformingStrings } from "./conforming-strings.ts";
import { ListenedChannels } from "./listened-channels.ts";
import type { PoolQueries } from "./pool-queries.ts";
import type { GivenQuery } from "./query-text.ts";
import { RunningQuery } from "./running-query.ts";

/** The queries of one client. Called in the middle of the application's work: nothing here throws. */
export class ClientQueries {
  readonly client: PgClient;
  readonly pool: PoolQueries;
  /** How the server reads the strings of its statements. */
  strings: ConformingStrings = "unknown";
  #lastVerb: string | undefined;
  #lastEndedAt = 0;
  /** Undefined before the first LISTEN. */
  #channels: ListenedChannels | undefined;

  constructor(client: PgClient, pool: PoolQueries) {
    this.client = client;
    this.pool = pool;
  }

  /** The application calls `client.query`. */
  began(given: GivenQuery): RunningQuery {
    const moment = this.pool.moment.take();
    const running = new RunningQuery(this, moment || performance.now(), moment > 0);
    this.pool.began(running, given);
    return running;
  }

  ended(running: RunningQuery, seconds: number, error: unknown, rows: number | undefined): void {
    this.#lastVerb = this.pool.ended(this.client, running, seconds, error, rows);
    this.#lastEndedAt = running.startedAt + seconds * 1000;
    if (error == null && listens(this.#lastVerb)) {
      this.#channels ??= new ListenedChannels();
      this.#channels.ran(running.text, this.#lastEndedAt);
    }
  }

  /** Whether a LISTEN that ran after `since` is in force. */
  isListening(since: number): boolean {
    return this.#channels?.isListening(since) === true;
  }

  /** Of the query that ended last, if it did so after `since`: before that it was another holder's. */
  lastVerb(since: number): string | undefined {
    return this.#lastEndedAt > since ? this.#lastVerb : undefined;
  }

  faulted(fault: unknown): void {
    this.pool.faulted(fault);
  }
}

function listens(verb: string | undefined): boolean {
  return verb === "LISTEN" || verb === "UNLISTEN" || verb === "DISCARD";
}
