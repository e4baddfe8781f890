import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Text } from "./text.ts";

/** For this long a client may take nothing of an answer, then its connection is closed. */
const UNREAD_MILLIS = 10_000;
const LOOK_MILLIS = 1_000;
/** So many different texts are kept for clients that have not read them all, whatever their size. */
const FEW_TEXTS = 4;
/** More texts than that are kept up to so many bytes. */
const MAX_BYTES = 2 ** 26;

/** One response, until it is closed. */
export interface Answer {
  readonly socket: Socket;
  readonly response: ServerResponse;
  /** `performance.now()` when the client took something of it last. */
  movedAt: number;
  /** What is being written. */
  text: Text | undefined;
}

/** The answers that clients have not read to their end: for how long, and how much memory they hold. */
export class UnreadAnswers {
  /** Oldest first. */
  readonly #answers = new Set<Answer>();
  #timer: NodeJS.Timeout | undefined;

  begin(socket: Socket, response: ServerResponse): Answer {
    const answer: Answer = { socket, response, movedAt: performance.now(), text: undefined };
    this.#answers.add(answer);
    this.#timer ??= setTimeout(this.#look, LOOK_MILLIS).unref();
    return answer;
  }

  end(answer: Answer): void {
    this.#answers.delete(answer);
  }

  readonly #look = (): void => {
    this.#timer = undefined;
    const now = performance.now();
    for (const answer of this.#answers) {
      // A response that was behind another one does not close with its connection.
      if (answer.socket.destroyed) this.#answers.delete(answer);
      // Until it is written, and while the response before it on the connection is not done, the client waits for us.
      else if (!answer.text || !answer.response.socket) answer.movedAt = now;
      else if (now - answer.movedAt >= UNREAD_MILLIS) answer.socket.destroy();
    }
    this.#cutOff();
    if (this.#answers.size > 0) this.#timer = setTimeout(this.#look, LOOK_MILLIS).unref();
  };

  /** A client that reads a byte now and then is never quite unread: those with the oldest texts go when these are many. */
  #cutOff(): void {
    const texts = new Set<Text>();
    for (const { text } of this.#answers) if (text) texts.add(text);
    let bytes = 0;
    for (const { length } of texts) bytes += length;
    let left = texts.size;
    for (const text of texts) {
      if (left <= FEW_TEXTS || bytes <= MAX_BYTES) return;
      for (const answer of this.#answers) if (answer.text === text) answer.socket.destroy();
      left--;
      bytes -= text.length;
    }
  }
}
