import {
  type ConnectionTarget,
  type ServerQuery,
  type TextRow,
  withOwnConnection,
} from "./own-connection.ts";
import { isPooled, notePooler, POOLED_MILLIS } from "./pooler.ts";
import { poolerLimit } from "./pooler-limit.ts";

/** Whether the pools that go to one server can all be full at once. */
export interface ConnectionBudget {
  /** The server, as `host:port`. */
  readonly server: string;
  /** How many processes have these pools. */
  readonly processes: number;
  /** The pools of one process that go to this server, and the most connections each may open. */
  readonly pools: readonly { readonly name: string; readonly max: number }[];
  /** Connections open when every pool of every process is full: the sum of `max`, times `processes`. */
  readonly wanted: number;
  /** The server's `max_connections`; behind PgBouncer its `max_client_conn`. Absent with {@link notCompared}. */
  readonly maxConnections?: number;
  /**
   * Of these, kept for others: `superuser_reserved_connections` and, since PostgreSQL 16, `reserved_connections`. 0 behind
   * PgBouncer. Absent with {@link notCompared}.
   */
  readonly reserved?: number;
  /** What is left for applications: `maxConnections` − `reserved`. Others may use the server too. Absent with {@link notCompared}. */
  readonly available?: number;
  /** Whether `wanted` is not more than `available`. Absent with {@link notCompared}. */
  readonly fits?: boolean;
  /** The pools connect through a connection pooler: the server's own limit is not theirs. */
  readonly isPooled?: true;
  /** Why there is no limit to compare with: the connection pooler does not show its own. */
  readonly notCompared?: string;
  /** Seconds after which the server closes idle sessions (`idle_session_timeout`), if it does. */
  readonly idleSessionSeconds?: number;
}

/** A pool to make a budget of. Pools with the same `server` share one. */
export interface BudgetedPool {
  readonly name: string;
  readonly max: number;
  readonly server: string;
  readonly target: ConnectionTarget;
}

interface ServerLimits {
  readonly maxConnections: number;
  readonly reserved: number;
  /** Seconds after which the server closes idle sessions, if it does. */
  readonly idleSessionSeconds?: number;
  readonly isPooled?: true;
}

type Limits = ServerLimits | { readonly isPooled?: true; readonly notCompared: string };

/** With `true` a setting that the server does not have is null instead of an error. */
const LIMITS = `
  SELECT pg_backend_pid()::text AS own_pid, inet_server_port()::text AS server_port,
    current_setting('max_connections', true) AS max_connections,
    current_setting('superuser_reserved_connections', true) AS superuser_reserved,
    current_setting('reserved_connections', true) AS reserved,
    (SELECT setting FROM pg_settings WHERE name = 'idle_session_timeout')::text AS idle_session_millis`;

/** Not the server's port was dialed, and the client has no process id by which a pooler would show. */
const UNKNOWN_PORT =
  "the server listens on another port than the one dialed: there may be a connection pooler before it";

/**
 * Asks a server, or the connection pooler before it, how many connections it gives. Rejects when the server does not
 * answer within `timeoutMillis`, or has no such limit.
 */
export async function serverLimits(target: ConnectionTarget, timeoutMillis: number): Promise<Limits> {
  const answer = isPooled(target)
    ? undefined
    : await withOwnConnection(target, timeoutMillis, async (server) => {
        // The server's limit is not the pools', and the question would wait for a server connection.
        if (notePooler(target, server.processId)) return undefined;
        const { rows } = await server.query(LIMITS);
        if (notePooler(target, server.processId, Number(rows[0]?.["own_pid"] ?? server.processId)))
          return undefined;
        return { row: rows[0] ?? {}, isPortUnknown: isOtherPort(server, rows[0]) };
      });
  if (!answer) {
    const limit = await poolerLimit(target, Math.min(timeoutMillis, POOLED_MILLIS));
    if ("notCompared" in limit) return { ...limit, isPooled: true };
    return { maxConnections: limit.maxClients, reserved: 0, isPooled: true };
  }
  return answer.isPortUnknown ? { notCompared: UNKNOWN_PORT } : limitsFrom(answer.row);
}

/** A Unix socket has no port. */
function isOtherPort({ processId, port }: ServerQuery, row: TextRow | undefined): boolean {
  const listening = row?.["server_port"];
  return processId === undefined && port !== undefined && !!listening && Number(listening) !== port;
}

function limitsFrom(row: TextRow): ServerLimits {
  const { max_connections, superuser_reserved, reserved, idle_session_millis } = row;
  const maxConnections = Number(max_connections);
  // Servers that only speak the protocol may have no such limit (CockroachDB answers -1).
  if (!(Number.isSafeInteger(maxConnections) && maxConnections > 0))
    throw new Error("the server does not say what its max_connections is");
  const idleSessionSeconds = count(idle_session_millis) / 1000;
  return {
    maxConnections,
    reserved: count(superuser_reserved) + count(reserved),
    ...(idleSessionSeconds > 0 && { idleSessionSeconds }),
  };
}

/** A setting of the server as a number; 0 if it has no such setting or answers anything else. */
function count(setting: string | null | undefined): number {
  const value = Number(setting ?? 0);
  return Number.isSafeInteger(value) && value > 0 ? value : 0;
}

/** One budget for each server, in the order of the pools. All servers are asked at once; rejects if one cannot be. */
export async function connectionBudgets(
  pools: readonly BudgetedPool[],
  processes: number,
  timeoutMillis: number,
): Promise<ConnectionBudget[]> {
  const servers = new Map<string, [BudgetedPool, ...BudgetedPool[]]>();
  for (const pool of pools) {
    const others = servers.get(pool.server);
    if (others) others.push(pool);
    else servers.set(pool.server, [pool]);
  }
  return Promise.all(
    [...servers].map(async ([server, members]) =>
      budget(server, members, processes, await serverLimits(members[0].target, timeoutMillis)),
    ),
  );
}

function budget(
  server: string,
  members: readonly BudgetedPool[],
  processes: number,
  limits: Limits,
): ConnectionBudget {
  const wanted = processes * members.reduce((sum, { max }) => sum + max, 0);
  const asked = {
    server,
    processes,
    pools: members.map(({ name, max }) => ({ name, max })),
    wanted,
    ...(limits.isPooled && { isPooled: limits.isPooled }),
  };
  if ("notCompared" in limits) return { ...asked, notCompared: limits.notCompared };
  const { maxConnections, reserved, idleSessionSeconds } = limits;
  const available = maxConnections - reserved;
  return {
    ...asked,
    maxConnections,
    reserved,
    available,
    fits: wanted <= available,
    ...(idleSessionSeconds !== undefined && { idleSessionSeconds }),
  };
}

/** The advice about a budget that does not fit, in one line. */
export function budgetAdvice(budget: ConnectionBudget): string | undefined {
  const { server, processes, pools, wanted, maxConnections, reserved, available, fits, isPooled } = budget;
  if (fits !== false) return undefined;
  const names = pools.map(({ name, max }) => `${name} max=${max}`).join(", ");
  const who =
    `${pools.length} ${pools.length === 1 ? "pool" : "pools"} (${names})` +
    ` × ${processes} ${processes === 1 ? "process" : "processes"}`;
  const knob = isPooled ? "max_client_conn" : "max_connections";
  const given = isPooled
    ? `the connection pooler at ${server} takes ${available} (${knob}=${maxConnections})`
    : `the server at ${server} gives ${available} (${knob}=${maxConnections}, ${reserved} reserved)`;
  return (
    `connection budget: ${who} ${pools.length === 1 ? "wants" : "want"} ${wanted} connections, ${given};` +
    ` lower max${processes === 1 ? "" : " or the number of processes"}, or raise ${knob}`
  );
}
