import type { HookableClient, PgClient } from "./pg-types.ts";
import { setShared, sharedKey } from "./shared-state.ts";

/** SQLSTATEs after which the server closes the connection: timeouts of the session, shutdown, termination. */
const ENDING = /^(25P0[34]|57P0[1235])$/;

interface ServerError {
  readonly code?: unknown;
  readonly severity?: unknown;
}

/** One listener for all that watch a client, of every copy of poolscope. */
interface Ended {
  /** SQLSTATE; undefined while the session lives. */
  code: string | undefined;
  watchers: number;
  readonly listener: (message?: ServerError) => void;
}

const ENDED: unique symbol = sharedKey("ended-session/1") as never;

interface WatchedClient extends HookableClient {
  readonly [ENDED]?: Ended;
}

/**
 * Notes the error by which the server ends a session. The client reports it to the statement that runs, and keeps its
 * transaction status until the socket is closed some time later.
 *
 * @returns Stops it; undefined for clients that do not show their wire
 */
export function watchEnding(given: PgClient): (() => void) | undefined {
  const client = given as WatchedClient;
  const { connection } = client;
  if (!connection?.prependListener || !connection.removeListener) return undefined;
  let ended = client[ENDED];
  if (!ended) {
    const made: Ended = {
      code: undefined,
      watchers: 0,
      listener: ({ code, severity } = {}) => {
        if (typeof code !== "string") return;
        // Severities come in the server's language, codes do not.
        if (ENDING.test(code) || severity === "FATAL" || severity === "PANIC") made.code ??= code;
      },
    };
    ended = made;
    // Before the client itself: what it does with a message may end in a release.
    connection.prependListener("errorMessage", ended.listener);
    setShared(client, ENDED, ended);
  }
  const { listener } = ended;
  const shared = ended;
  shared.watchers++;
  return () => {
    if (--shared.watchers > 0) return;
    connection.removeListener?.("errorMessage", listener);
    Reflect.deleteProperty(client, ENDED);
  };
}

/** The SQLSTATE with which the server ended the session. */
export function endedBy(client: PgClient): string | undefined {
  return (client as WatchedClient)[ENDED]?.code;
}
