import type { RunningQuery } from "./running-query.ts";

/**
 * A query that submits itself: pg's own `Query`, pg-cursor, pg-query-stream, pg-copy-streams. The client calls its
 * `handle…` methods as the server answers. https://node-postgres.com/apis/cursor
 */
export interface Submittable {
  submit(connection: unknown): unknown;
  handleRowDescription?(message: unknown): void;
  handleDataRow?(message: unknown): void;
  handleReadyForQuery?(connection: unknown): void;
  handleError?(error: unknown, connection: unknown): void;
  /** Of those that are streams. */
  readonly destroy?: unknown;
  readonly errored?: unknown;
  once?(event: "close", listener: () => void): unknown;
  removeListener?(event: "close", listener: () => void): unknown;
}

export function isSubmittable(query: unknown): query is Submittable {
  return typeof (query as { submit?: unknown } | null | undefined)?.submit === "function";
}

type Handler = (...args: unknown[]) => void;
type Handling = Partial<Record<string, Handler>>;

/**
 * Puts a method of a query's own in front of the one it inherits, until it is taken away. Not as a layer of `override`: a
 * query is used once, and a layer would cost 5 µs for each of its methods and 0.1 µs for each row.
 */
function replace(query: Handling, name: string, wrap: (original: Handler) => Handler): () => void {
  const own = Object.getOwnPropertyDescriptor(query, name);
  const method = wrap(query[name] as Handler);
  const enumerable = own?.enumerable ?? false;
  Object.defineProperty(query, name, { value: method, configurable: true, writable: true, enumerable });
  return () => {
    if (query[name] !== method) return;
    if (own) Object.defineProperty(query, name, own);
    else delete query[name];
  };
}

/**
 * Follows one Submittable until the server has answered for good, or the stream it is was destroyed. The object itself
 * is what the application gets back, so its methods are hooked for that long, and put back.
 */
export function followSubmittable(query: Submittable, running: RunningQuery): void {
  let rows: number | undefined;
  const undo: (() => void)[] = [];
  const end = (error: unknown, endedAt = performance.now()) => {
    for (const unhook of undo.splice(0)) unhook();
    running.over(error, rows, endedAt);
  };
  const hook = (name: keyof Submittable & `handle${string}`, wrap: (original: Handler) => Handler) => {
    if (typeof query[name] === "function") undo.push(replace(query as unknown as Handling, name, wrap));
  };

  hook("handleRowDescription", (original) => {
    return function (this: unknown, ...args) {
      rows ??= 0;
      return Reflect.apply(original, this, args);
    };
  });
  hook("handleDataRow", (original) => {
    return function (this: unknown, message) {
      rows = (rows ?? 0) + 1;
      return original.call(this, message);
    };
  });
  hook("handleReadyForQuery", (original) => {
    return function (this: unknown, ...args) {
      const endedAt = performance.now();
      try {
        // May yet turn into a failure: pg's Query finds out here that a row could not be parsed.
        return Reflect.apply(original, this, args);
      } finally {
        end(undefined, endedAt);
      }
    };
  });
  hook("handleError", (original) => {
    return function (this: unknown, ...args) {
      end(args[0] ?? new Error("failed without a reason"));
      return Reflect.apply(original, this, args);
    };
  });

  // A stream destroyed by the application may never hear from the server again.
  if (typeof query.destroy === "function" && query.once && query.removeListener) {
    const closed = () => end(query.errored ?? undefined);
    query.once("close", closed);
    undo.push(() => query.removeListener?.("close", closed));
  }
}
