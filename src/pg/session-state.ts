import { override } from "../watch/override.ts";
import { type ClientInside, queueOf } from "./pool-inside.ts";
import { effectOf } from "./statement-effect.ts";

/** How often the pool's own statements have changed what sessions begin with. One for each pool. */
export interface SessionDefaults {
  changes: number;
}

/** What closing a connection would clear. */
export interface SessionState {
  /** Whether a new connection might answer otherwise than this one. */
  readonly hasState: boolean;
  /** The same, but for prepared statements: without them a new one only takes longer. */
  readonly hasSettings: boolean;
  /**
   * From now on settings count. Those made before, by `connect` listeners, `onConnect` and `verify`, are made on every
   * new connection. Call at the first hand-out, before the caller has the client.
   */
  start(): void;
  /** Leaves the connection as it was found. */
  stop(): void;
}

interface Wire {
  query?(text: unknown): unknown;
  parse?(statement: { readonly text?: unknown }, ...more: unknown[]): unknown;
  /** The texts of named statements. */
  readonly parsedStatements?: object;
  readonly submittedNamedStatements?: object;
}

interface WatchedClient extends Omit<ClientInside, "connection"> {
  readonly connection?: Wire;
  /** Type parsers of this client alone. */
  readonly _types?: { readonly text?: object; readonly binary?: object };
}

interface Submittable {
  submit?(connection: unknown): unknown;
}

/**
 * Reads every text that a client sends, from its dial on, until one has left state in the session. `pg.native` sends
 * them out of sight, and a client that was open before may have done anything: both are taken to carry state.
 */
export function watchSession(given: object, defaults: SessionDefaults): SessionState {
  const client = given as WatchedClient;
  const { connection } = client;
  const changesAtStart = defaults.changes;
  let parsersAtStart: readonly unknown[] = [];
  let isStarted = false;
  let isMarked = typeof connection?.query !== "function" || typeof connection.parse !== "function";
  let isBeforeStart = true;
  const undo: (() => void)[] = [];

  if (!isMarked && connection) {
    undo.push(
      override(connection as Required<Wire>, "query", (original) => {
        return function query(this: unknown, text) {
          read(text);
          return original.call(this, text);
        };
      }),
      override(connection as Required<Wire>, "parse", (original) => {
        return function parse(this: unknown, statement, ...more) {
          read(statement?.text);
          return original.call(this, statement, ...more);
        };
      }),
    );
  }

  function read(text: unknown): void {
    const effect = typeof text === "string" ? effectOf(text) : "state";
    if (effect === "nothing" || (effect === "setting" && isBeforeStart)) return;
    isMarked = true;
    if (effect === "defaults") defaults.changes++;
  }

  /** Statements that wait in the client's queue were put there by `connect` listeners that do not wait for them. */
  function exempt(query: Submittable): void {
    if (typeof query.submit !== "function") return;
    const restore = override(query as Required<Submittable>, "submit", (original) => {
      return function submit(this: unknown, to) {
        restore();
        isBeforeStart = true;
        try {
          return original.call(this, to);
        } finally {
          isBeforeStart = false;
        }
      };
    });
  }

  return {
    get hasState() {
      const { parsedStatements, submittedNamedStatements } = connection ?? {};
      return this.hasSettings || !isEmpty(parsedStatements) || !isEmpty(submittedNamedStatements);
    },
    get hasSettings() {
      if (isMarked || !isStarted || defaults.changes !== changesAtStart) return true;
      const parsers = parsersOf(client);
      return (
        parsers.length !== parsersAtStart.length || parsers.some((one, at) => one !== parsersAtStart[at])
      );
    },
    start() {
      if (isStarted) return;
      isStarted = true;
      isBeforeStart = false;
      parsersAtStart = parsersOf(client);
      for (const query of queueOf(given as ClientInside) ?? []) exempt(query as Submittable);
    },
    stop() {
      for (const step of undo.splice(0)) step();
      isMarked = true;
    },
  };
}

function isEmpty(object: object | undefined): boolean {
  for (const _ in object) return false;
  return true;
}

function parsersOf({ _types }: WatchedClient): readonly unknown[] {
  return [...Object.entries(_types?.text ?? {}), ...Object.entries(_types?.binary ?? {})].flat();
}
