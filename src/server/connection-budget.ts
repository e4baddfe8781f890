import { type ConnectionTarget, withOwnConnection } from "./own-connection.ts";

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
  /** The server's `max_connections`. */
  readonly maxConnections: number;
  /** Of these, kept for others: `superuser_reserved_connections` and, since PostgreSQL 16, `reserved_connections`. */
  readonly reserved: number;
  /** What is left for applications: `maxConnections` − `reserved`. Others may use the server too. */
  readonly available: number;
  /** Whether `wanted` is not more than `available`. */
  readonly fits: boolean;
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

export interface ServerLimits {
  readonly maxConnections: number;
  readonly reserved: number;
  /** Seconds after which the server closes idle sessions, if it does. */
  readonly idleSessionSeconds?: number;
}

/** With `true` a setting that the server does not have is null instead of an error. */
const LIMITS = `
  SELECT current_setting('max_connections', true) AS max_connections,
    current_setting('superuser_reserved_connections', true) AS superuser_reserved,
    current_setting('reserved_connections', true) AS reserved,
    (SELECT setting FROM pg_settings WHERE name = 'idle_session_timeout')::text AS idle_session_millis`;

/** Asks a server how many connections it gives. Rejects when it does not say so within `timeoutMillis`. */
export async function serverLimits(target: ConnectionTarget, timeoutMillis: number): Promise<ServerLimits> {
  const { rows } = await withOwnConnection(target, timeoutMillis, (server) => server.query(LIMITS));
  const { max_connections, superuser_reserved, reserved, idle_session_millis } = rows[0] ?? {};
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
  { maxConnections, reserved, idleSessionSeconds }: ServerLimits,
): ConnectionBudget {
  const wanted = processes * members.reduce((sum, { max }) => sum + max, 0);
  const available = maxConnections - reserved;
  return {
    server,
    processes,
    pools: members.map(({ name, max }) => ({ name, max })),
    wanted,
    maxConnections,
    reserved,
    available,
    fits: wanted <= available,
    ...(idleSessionSeconds !== undefined && { idleSessionSeconds }),
  };
}

/** What to say of a budget that does not fit, in one line. */
export function budgetAdvice(budget: ConnectionBudget): string | undefined {
  const { server, processes, pools, wanted, maxConnections, reserved, available, fits } = budget;
  if (fits) return undefined;
  const names = pools.map(({ name, max }) => `${name} max=${max}`).join(", ");
  const who =
    `${pools.length} ${pools.length === 1 ? "pool" : "pools"} (${names})` +
    ` × ${processes} ${processes === 1 ? "process" : "processes"}`;
  return (
    `connection budget: ${who} ${pools.length === 1 ? "wants" : "want"} ${wanted} connections,` +
    ` the server at ${server} gives ${available} (max_connections=${maxConnections}, ${reserved} reserved);` +
    ` lower max${processes === 1 ? "" : " or the number of processes"}, or raise max_connections`
  );
}
