/** What shows whether a client executes a statement. `pg.native` has no `readyForQuery`, but the rest. */
export interface ExecutingClient {
  /** False while a statement runs. */
  readonly readyForQuery?: boolean;
  readonly _activeQuery?: unknown;
  readonly _queryQueue?: { readonly length: number };
  readonly _pipelineInFlight?: boolean;
}

/** Whether a statement of the client is running or queued, as far as it shows. */
export function isExecuting(client: ExecutingClient): boolean {
  if (client.readyForQuery !== undefined) return !client.readyForQuery;
  const { _queryQueue: queue, _pipelineInFlight: isInFlight } = client;
  if (isInFlight === true || (queue?.length ?? 0) > 0) return true;
  const active = client._activeQuery as { readonly state?: unknown } | null | undefined;
  // The last query stays there when it is answered.
  return !!active && active.state !== "end" && active.state !== "error";
}
