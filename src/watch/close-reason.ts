import type { Connection } from "./connection.ts";
import type { Hold } from "./hold.ts";
import type { HookablePool, PgClient } from "./pg-types.ts";
import { setShared, sharedKey } from "./shared-state.ts";

/** Why a connection was closed. A closed set: it becomes a label. */
export type CloseReason =
  | "lifetime"
  | "idle"
  | "max_uses"
  | "query_error"
  | "connection_lost"
  | "released_with_error"
  | "ping_failed"
  | "half_open"
  | "in_transaction"
  | "flushed"
  | "pool_end"
  | "other";

const REASONS: readonly CloseReason[] = [
  "lifetime",
  "idle",
  "max_uses",
  "query_error",
  "connection_lost",
  "released_with_error",
  "ping_failed",
  "half_open",
  "in_transaction",
  "flushed",
  "pool_end",
  "other",
];

/** Every reason is there from the start, at 0. */
export function noCloses(): Map<CloseReason, number> {
  return new Map(REASONS.map((reason) => [reason, 0]));
}

type Decision = CloseReason | "kept";

/**
 * What recycling has decided on a client: why it closes it, or that it stays although it is released with an error. Kept
 * with the client, where every watch looks, of every copy of poolscope, whichever of the two came first to the pool.
 */
const DECISION: unique symbol = sharedKey("decision/1") as never;

interface DecidedClient {
  readonly [DECISION]?: Decision | undefined;
}

export function decide(client: PgClient, decision: Decision): void {
  setShared(client, DECISION, decision);
}

export function undecide(client: PgClient): void {
  if (decisionOf(client) !== undefined) setShared(client, DECISION, undefined);
}

function decisionOf(client: PgClient): Decision | undefined {
  return (client as DecidedClient)[DECISION];
}

/** Why recycling closes this client; undefined when that is not its doing. */
export function decidedReason(client: PgClient): CloseReason | undefined {
  const decision = decisionOf(client);
  return decision === "kept" ? undefined : decision;
}

/**
 * Whether pg-pool will close the client it is taking back, and why: the conditions of its `_release`, which emits
 * `release` just before it looks at them. Undefined: it keeps the client.
 * https://github.com/brianc/node-postgres/blob/master/packages/pg-pool/index.js
 */
export function closeReasonAtRelease(
  pool: HookablePool,
  connection: Connection,
  error: unknown,
  hold: Hold | undefined,
): CloseReason | undefined {
  const { client } = connection;
  const decision = decisionOf(client);
  if (decision !== undefined) return decision === "kept" ? undefined : decision;
  if (error) {
    if (connection.isLost || meansLost(error)) return "connection_lost";
    // Without a hold it was never handed out: `verify` refused it.
    if (!hold) return "other";
    return hold.isExplicit || !hold.isExact ? "released_with_error" : "query_error";
  }
  if (pool.ending) return "pool_end";
  if (client._queryable === false || client._ending === true) return "connection_lost";
  const { maxUses } = pool.options;
  if (maxUses !== undefined && (client._poolUseCount ?? 0) >= maxUses) return "max_uses";
  // Without a hold it is the release that pg-pool makes up for an idle client whose lifetime is over.
  if (pool._expired?.has(client) ?? !hold) return "lifetime";
  return undefined;
}

/** SQLSTATEs after which the server closes the connection, and errors of the socket. */
function meansLost(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code === "string") return /^(08...|25P0[34]|57P0[1235]|ECONNRESET|EPIPE|ETIMEDOUT)$/.test(code);
  return typeof message === "string" && message.startsWith("Connection terminated");
}
