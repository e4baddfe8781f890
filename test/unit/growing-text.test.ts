import { expect, test } from "vitest";
import { GrowingText } from "../../src/http/text.ts";

const PIECE = Buffer.alloc(2 ** 20);

function* pieces(count: number): Generator<Buffer> {
  for (let at = 0; at < count; at++) yield PIECE;
}

function read(text: GrowingText, reader: object, pieces: number): void {
  for (let place = 0; place < pieces; place++) {
    expect(text.piece(place)).toBe(PIECE);
    text.passed(reader, place + 1);
  }
}

test("a text is made as far as it is read, once for all its readers", () => {
  let made = 0;
  const text = new GrowingText(
    (function* () {
      for (const piece of pieces(4)) {
        made++;
        yield piece;
      }
    })(),
  );
  expect(text.piece(1)).toBe(PIECE);
  expect(text.piece(0)).toBe(PIECE);
  expect([made, text.length, text.isWhole]).toEqual([2, 2 * PIECE.length, false]);
  expect(text.piece(4)).toBeUndefined();
  expect([made, text.length, text.isWhole]).toEqual([4, 4 * PIECE.length, true]);
});

test("a text of up to 8 MiB can be read from its beginning however often it was read", () => {
  const text = new GrowingText(pieces(8));
  read(text, {}, 8);
  expect(text.hasBeginning).toBe(true);
  read(text, {}, 8);
});

test("a longer text is let go of behind the slowest of its readers", () => {
  const text = new GrowingText(pieces(20));
  const [slow, fast] = [{}, {}];
  text.passed(slow, 0);
  read(text, fast, 20);
  expect(text.hasBeginning).toBe(true);
  text.passed(slow, 3);
  expect(text.hasBeginning).toBe(false);
  expect([text.known(2), text.known(3)]).toEqual([undefined, PIECE]);
  text.passed(slow, Number.POSITIVE_INFINITY);
  expect(text.known(19)).toBeUndefined();
});
