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
 * Of a turn, before what counts begins: an application in steady use has not just slept for a second while others used
 * the caches, and poolscope has no burst of places of checkouts saved up in a pause.
 */
export const LEAD_IN = 0.1;

export type Start<Argument, Input, Output> = (argument: Argument) => Promise<Task<Input, Output>>;

export type Request = { readonly kind: "round"; readonly input: unknown } | { readonly kind: "finish" };

export type Reply =
  | { readonly kind: "ready" }
  | { readonly kind: "done"; readonly output?: unknown }
  | { readonly kind: "failed"; readonly reason: string };
