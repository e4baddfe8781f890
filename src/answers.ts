import type { ServerResponse } from "node:http";
import { detach } from "./detached.ts";
import { errorMessage } from "./error-type.ts";
import type { Logger } from "./logger.ts";

/** Whether a response may still be written: no other part of the application has answered, and the client is there. */
export function isUnanswered(response: ServerResponse): boolean {
  return !response.headersSent && !response.writableEnded && !response.destroyed;
}

/** Runs `write`, which answers one request by `response`. */
export type Answer = (response: ServerResponse, write: () => unknown) => void;

/**
 * Where the answers of one handler end. A failure never reaches the process: the application has no way to catch it. A
 * response that was not answered is closed then, because writing an error to it would fail as well.
 *
 * @param handler Named in the log, once
 */
export function answers(handler: string, logger: Logger): Answer {
  let isLogged = false;
  return (response, write) => {
    detach(write, (error) => {
      if (!isUnanswered(response)) return;
      if (!isLogged) {
        isLogged = true;
        logger.error(
          `poolscope - answer failed: ${errorMessage(error) ?? typeof error} (handler=${handler}); the connection was closed`,
        );
      }
      response.destroy();
    });
  };
}
