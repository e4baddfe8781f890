import { wordFrom } from "../outside-text.ts";
import { type ConnectionTarget, type TextRow, withOwnConnection } from "./own-connection.ts";
import { notePooler } from "./pooler.ts";

/** What the server says one of its connections is doing. */
export interface ServerActivity {
  /** As in `pg_stat_activity`: `active`, `idle`, `idle in transaction` … Undefined where the user may not see it. */
  readonly state: string | undefined;
  /** What it waits for, if anything: `Lock`, `IO`, `Client` … */
  readonly waitEventType?: string;
  readonly waitEvent?: string;
  /** When its present query began, or the last one if it is not active. ISO 8601. */
  readonly queryStart?: string;
  /** When `state` last changed. ISO 8601. */
  readonly stateChange?: string;
  /** Process ids of those that hold, or are ahead in the queue for, the lock it wants. 0 is a prepared transaction. */
  readonly blockedBy: readonly number[];
}

/**
 * The text of the queries is left where it is: it may hold secrets. The lock manager is asked only about those who
 * wait for a lock, since each `pg_blocking_pids()` holds it up for a moment; and about those whose state is hidden.
 * See https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
 */
const ACTIVITY = `
  SELECT pg_backend_pid()::text AS own_pid, pid::text AS pid, state, wait_event_type, wait_event,
    to_char(query_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS query_start,
    to_char(state_change AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS state_change,
    CASE WHEN wait_event_type = 'Lock' OR state IS NULL
      THEN array_to_string(pg_blocking_pids(pid), ',') END AS blocked_by
  FROM (SELECT 1) AS one LEFT JOIN pg_stat_activity ON pid = ANY ($1::int[])`;

/**
 * What the server says of these of its processes, by process id; those it does not know are left out, and all of them
 * behind a connection pooler, which then is noted. A user who is
 * not a member of `pg_read_all_stats` sees only who blocks other users' processes.
 *
 * Rejects when the server cannot be asked within `timeoutMillis`.
 */
export async function serverActivity(
  target: ConnectionTarget,
  processIds: readonly number[],
  timeoutMillis: number,
): Promise<Map<number, ServerActivity>> {
  if (processIds.length === 0) return new Map();
  const rows = await withOwnConnection(target, timeoutMillis, async (server) => {
    // Nothing to learn, and the question would wait for a server connection that the application needs.
    if (notePooler(target, server.processId)) return [];
    const answer = await server.query(ACTIVITY, [processIds]);
    return notePooler(target, server.processId, Number(answer.rows[0]?.["own_pid"])) ? [] : answer.rows;
  });
  const known = rows.filter((row) => row["pid"]);
  return new Map(known.map((row) => [Number(row["pid"]), activity(row)]));
}

function activity(row: TextRow): ServerActivity {
  const { state, wait_event_type, wait_event, query_start, state_change, blocked_by } = row;
  const waitEventType = wordFrom(wait_event_type);
  const waitEvent = wordFrom(wait_event);
  const queryStart = timeFrom(query_start);
  const stateChange = timeFrom(state_change);
  return {
    state: wordFrom(state),
    ...(waitEventType && { waitEventType }),
    ...(waitEvent && { waitEvent }),
    ...(queryStart && { queryStart }),
    ...(stateChange && { stateChange }),
    // Parallel workers show as their leader, each of them once more.
    blockedBy: blocked_by ? [...new Set(blocked_by.split(",").map(Number))].filter(Number.isSafeInteger) : [],
  };
}

/** ISO 8601, as `to_char` was asked for; `infinity` is none. */
function timeFrom(text: string | null | undefined): string | undefined {
  return text && /^[\d:.TZ-]{20,30}$/.test(text) ? text : undefined;
}
