import type { IncomingMessage, ServerResponse } from "node:http";
import type { Callers } from "../watch/callers.ts";
import { RequestCaller } from "./request-caller.ts";

/** The requests of one scope, each once whatever middleware it comes through. */
export class RequestCallers {
  readonly #callers: Callers;
  readonly #requests = new WeakMap<IncomingMessage, RequestCaller>();

  constructor(callers: Callers) {
    this.#callers = callers;
  }

  /** From here on pool use is attributed to requests. */
  turnOn(): void {
    this.#callers.turnOn();
  }

  of(request: IncomingMessage, response: ServerResponse): RequestCaller {
    const known = this.#requests.get(request);
    if (known) return known;
    const caller = new RequestCaller(request);
    this.#requests.set(request, caller);
    if (response.closed) caller.close();
    else response.once("close", () => caller.close());
    return caller;
  }

  /** Goes on in the flow of a request, or takes it up again where something before has lost it. */
  run(caller: RequestCaller | undefined, next: () => void): void {
    if (caller) this.#callers.run(caller, next);
    else next();
  }
}
