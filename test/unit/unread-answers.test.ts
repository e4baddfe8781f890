import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Text, WholeText } from "../../src/http/text.ts";
import { UnreadAnswers } from "../../src/http/unread-answers.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

class Connection extends EventEmitter {
  destroyed = false;

  destroy(): void {
    this.destroyed = true;
  }
}

function begin(answers: UnreadAnswers, text?: Text, isItsTurn = true) {
  const socket = new Connection();
  const response = { socket: isItsTurn ? socket : null } as unknown as ServerResponse;
  const answer = answers.begin(socket as unknown as Socket, response);
  answer.text = text;
  return { socket, answer };
}

const MEBIBYTES_20 = "x".repeat(20 * 2 ** 20);

test("a connection is closed when its client has taken nothing of an answer for ten seconds", () => {
  const answers = new UnreadAnswers();
  const unread = begin(answers, new WholeText("text"));
  const slow = begin(answers, new WholeText("text"));
  const read = begin(answers, new WholeText("text"));
  vi.advanceTimersByTime(5_000);
  slow.answer.movedAt = performance.now();
  answers.end(read.answer);
  vi.advanceTimersByTime(6_000);
  expect([unread, slow, read].map(({ socket }) => socket.destroyed)).toEqual([true, false, false]);
  vi.advanceTimersByTime(5_000);
  expect(slow.socket.destroyed).toBe(true);
});

test("a client is not blamed while its answer is made, or waits for the application's before it", () => {
  const answers = new UnreadAnswers();
  const made = begin(answers);
  const behind = begin(answers, new WholeText("text"), false);
  vi.advanceTimersByTime(60_000);
  expect([made.socket.destroyed, behind.socket.destroyed]).toEqual([false, false]);
});

test("of many large texts that are kept for slow clients the oldest are let go of", () => {
  const answers = new UnreadAnswers();
  const begun = Array.from({ length: 6 }, () => begin(answers, new WholeText(MEBIBYTES_20)));
  const sharing = begin(answers, begun[1]?.answer.text);
  vi.advanceTimersByTime(1_000);
  expect(begun.map(({ socket }) => socket.destroyed)).toEqual([true, true, false, false, false, false]);
  expect(sharing.socket.destroyed).toBe(true);
});

test("many clients that read one large text slowly are left alone", () => {
  const answers = new UnreadAnswers();
  const text = new WholeText(MEBIBYTES_20);
  const begun = Array.from({ length: 50 }, () => begin(answers, text));
  vi.advanceTimersByTime(5_000);
  expect(begun.some(({ socket }) => socket.destroyed)).toBe(false);
});

test("nothing is kept, and no timer runs, when every connection is closed", () => {
  const answers = new UnreadAnswers();
  begin(answers, new WholeText("text")).socket.destroy();
  vi.advanceTimersByTime(1_000);
  expect(vi.getTimerCount()).toBe(0);
});
