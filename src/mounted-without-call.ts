import type { ServerResponse } from "node:http";
import { isUnanswered } from "./answers.ts";
import { hasMethods } from "./check.ts";
import { PoolscopeError } from "./errors.ts";
import type { HttpHandler } from "./metrics/prometheus.ts";

/**
 * Ends a request that reached a method instead of the handler it makes, as of `app.use("/metrics", scope.metrics)`: it
 * would wait for ever. The error goes to the application's error handlers; `node:http` has none, and is answered.
 *
 * @param given What the method was called with; two arguments or more are those of a handler
 */
export function mountedWithoutCall(method: string, given: readonly unknown[]): HttpHandler {
  const error = new PoolscopeError(
    "POOLSCOPE_INVALID_OPTION",
    `\`scope.${method}\` was mounted without a call: it makes the handler, so mount \`scope.${method}()\``,
  );
  const [, response, next] = given;
  if (typeof next === "function") next(error);
  else if (hasMethods(response, ["setHeader", "end"])) answer(response as ServerResponse, error.message);
  else throw error;
  return () => {};
}

function answer(response: ServerResponse, message: string): void {
  if (!isUnanswered(response)) return;
  response.statusCode = 500;
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.end(`poolscope: ${message}\n`);
}
