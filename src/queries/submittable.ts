import { override } from "../watch/override.ts";
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
    if (typeof query[name] !== "function") return;
    undo.push(override(query as unknown as Record<typeof name, Handler>, name, wrap));
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
