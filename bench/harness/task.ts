/**
 * What a worker does. Its module exports `start`, which is given what {@link startWorker} was, and whatever passes
 * between the two processes is JSON.
 */
interface Task<Input, Output> {
  round(input: Input): Promise<Output> | Output;
  /** Throws where something was miscounted. Lets go of everything, so that the process ends. */
  finish(): Promise<void>;
}

/**
 * Of a turn, before what counts begins. The bare twin takes a turn beside everybody's, and finds more of its memory in
 * the caches than those who sleep for a second in between: without this, a second bare twin is 2 % dearer than the first. The places of checkouts that poolscope saves
 * up in a pause are used up by then, too.
 */
export const LEAD_IN = 0.1;

export type Start<Argument, Input, Output> = (argument: Argument) => Promise<Task<Input, Output>>;

export type Request = { readonly kind: "round"; readonly input: unknown } | { readonly kind: "finish" };

export type Reply =
  | { readonly kind: "ready" }
  | { readonly kind: "done"; readonly output?: unknown }
  | { readonly kind: "failed"; readonly reason: string };
