import type { IncomingMessage, ServerResponse } from "node:http";
import { isUnanswered } from "../answers.ts";
import { ownConnection } from "./connections.ts";
import type { Text } from "./text.ts";
import { turn } from "./turns.ts";
import type { Answer } from "./unread-answers.ts";

/** Written at once, then the connection has to take it. */
const BATCH_BYTES = 2 ** 20;

/** Where an answer goes, once it is its turn. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly answer: Answer | undefined;
}

/**
 * Waits until a request may be answered: after poolscope's earlier answers on its connection, and in a turn of the event
 * loop that has time left. What is answered is to be looked up after it, not before: it may take a while.
 *
 * @returns Undefined: there is nothing to answer any more
 */
export async function exchangeOf(
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Exchange | undefined> {
  const own = ownConnection(request, response);
  const answer = own instanceof Promise ? await own : own;
  await turn();
  return isUnanswered(response) ? { request, response, answer } : undefined;
}

/**
 * Sends a text with `node:http`'s own methods, so that nothing depends on the Express version or its settings. No faster
 * than the client reads. Rejects where nothing could be sent; a text that fails later is cut off.
 */
export async function sendText(
  { request, response, answer }: Exchange,
  code: number,
  type: string,
  text: Text,
): Promise<void> {
  const first = text.piece(0);
  const isOnePiece = text.isWhole || text.piece(1) === undefined;
  writeHead(response, code, type);
  if (text.isWhole) response.setHeader("Content-Length", text.length);
  if (answer) answer.text = text;
  if (request.method === "HEAD" || first === undefined) response.end();
  else if (isOnePiece && first.length === text.length) response.end(first);
  else {
    try {
      text.passed(response, 0);
      await write(response, text, answer);
    } catch (error) {
      // Begun, and cut off: that tells the client that it is not whole.
      response.destroy();
      throw error;
    } finally {
      text.passed(response, Number.POSITIVE_INFINITY);
    }
  }
}

async function write(response: ServerResponse, text: Text, answer: Answer | undefined): Promise<void> {
  for (let place = 0; ; ) {
    let bytes = 0;
    response.cork();
    while (bytes < BATCH_BYTES) {
      const piece = text.known(place);
      if (!piece) break;
      response.write(piece);
      bytes += piece.length;
      place++;
    }
    response.uncork();
    text.passed(response, place);
    if (!(await hasTaken(response))) return;
    if (answer) answer.movedAt = performance.now();
    if (text.known(place)) continue;
    // The time of a piece is that of a turn.
    if (!text.isWhole) await turn();
    try {
      if (text.piece(place) === undefined) break;
    } catch {
      response.destroy();
      return;
    }
  }
  response.end();
}

/** @returns False: the client has gone. */
function hasTaken(response: ServerResponse): Promise<boolean> | boolean {
  if (response.destroyed || response.closed) return false;
  if (!response.writableNeedDrain) return true;
  return new Promise((resolve) => {
    const settle = (isThere: boolean) => {
      response.removeListener("drain", drained);
      response.removeListener("close", closed);
      resolve(isThere);
    };
    const drained = () => settle(true);
    const closed = () => settle(false);
    response.once("drain", drained);
    response.once("close", closed);
  });
}

/** A line or so, at once. */
export function sendShort(
  request: IncomingMessage,
  response: ServerResponse,
  code: number,
  type: string,
  text: string,
): void {
  const body = Buffer.from(text);
  writeHead(response, code, type);
  response.setHeader("Content-Length", body.length);
  response.end(request.method === "HEAD" ? undefined : body);
}

function writeHead(response: ServerResponse, code: number, type: string): void {
  response.statusCode = code;
  response.setHeader("Content-Type", type);
  response.setHeader("Cache-Control", "no-store");
  // What is JSON, or numbers, is not to be guessed at.
  response.setHeader("X-Content-Type-Options", "nosniff");
}
