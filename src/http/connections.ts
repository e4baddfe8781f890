import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Answer, UnreadAnswers } from "./unread-answers.ts";

/** So many requests wait on one connection, then no more are read from it. */
const MAX_WAITING = 100;

/** Of all handlers: the memory is that of the process. */
const unread = new UnreadAnswers();
const connections = new WeakMap<Socket, Connection>();

/**
 * Waits until no earlier answer of poolscope's is under way on the connection of a request. HTTP/1.1 answers in order, so
 * nothing is lost; but a client that pipelines and does not read has one answer made, not hundreds kept in memory.
 *
 * @returns What is to be kept up to date while the response is written; undefined without a connection of its own
 */
export function ownConnection(
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Answer | undefined> | Answer | undefined {
  const socket = request.socket as Socket | undefined;
  // HTTP/2 has its own flow control for each stream, and a request made by hand has no socket.
  if (!socket || request.httpVersionMajor !== 1 || socket.destroyed || response.closed) return undefined;
  let connection = connections.get(socket);
  if (!connection) {
    connection = new Connection(socket);
    connections.set(socket, connection);
  }
  return connection.enter(response);
}

/** The answers of one connection, one after the other. */
class Connection {
  readonly #socket: Socket;
  #isBusy = false;
  #isPaused = false;
  #waiting: (() => void)[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  enter(response: ServerResponse): Promise<Answer | undefined> | Answer | undefined {
    return this.#isBusy ? this.#wait().then(() => this.#begin(response)) : this.#begin(response);
  }

  #begin(response: ServerResponse): Answer | undefined {
    if (response.closed || this.#socket.destroyed) {
      this.#leave();
      return undefined;
    }
    this.#isBusy = true;
    const answer = unread.begin(this.#socket, response);
    response.once("close", () => {
      unread.end(answer);
      this.#leave();
    });
    return answer;
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => {
      // Responses that have no connection yet do not hear that it closed.
      if (this.#waiting.push(resolve) === 1) this.#socket.once("close", this.#closed);
      if (this.#waiting.length >= MAX_WAITING && !this.#isPaused) this.#pause();
    });
  }

  #leave(): void {
    this.#isBusy = false;
    const next = this.#waiting.shift();
    if (!next) return;
    this.#isBusy = true;
    if (this.#waiting.length === 0) this.#socket.removeListener("close", this.#closed);
    if (this.#isPaused && this.#waiting.length < MAX_WAITING / 2) this.#resume();
    next();
  }

  #pause(): void {
    this.#isPaused = true;
    this.#socket.on("resume", this.#resumed).pause();
  }

  #resume(): void {
    this.#isPaused = false;
    this.#socket.removeListener("resume", this.#resumed).resume();
  }

  /** Node's server reads on after each request, unless it has paused the connection itself. */
  readonly #resumed = (): void => {
    this.#socket.pause();
  };

  readonly #closed = (): void => {
    for (const resolve of this.#waiting.splice(0)) resolve();
  };
}
