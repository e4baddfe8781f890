/** A pool or so. Larger pieces take half as long again: V8 and malloc ask the system for each of them anew. */
const PIECE_BYTES = 2 ** 16;

/** Nobody has used a letter so far that takes more than one byte: then bytes are copied, and not put together. */
let isAscii = true;

/** To be told of all letters that come from outside, before they are part of a text. */
export function noteLetters(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
  if (isAscii && !/^[\x00-\x7f]*$/.test(text)) isAscii = false;
  return text;
}

/** A text as bytes, which can be sent while it still grows. */
export class TextPieces {
  #full: Buffer[] = [];
  #bytes = Buffer.allocUnsafeSlow(PIECE_BYTES);
  #length = 0;

  add(text: string): void {
    // A character takes three bytes at most.
    const most = isAscii ? text.length : 3 * text.length;
    if (this.#length + most > this.#bytes.length) this.#turn(most);
    this.#length += this.#bytes.write(text, this.#length, isAscii ? "latin1" : "utf8");
  }

  /** The pieces that will not grow any more, each once. */
  take(): Buffer[] {
    const full = this.#full;
    if (full.length > 0) this.#full = [];
    return full;
  }

  /** What is left. */
  end(): Buffer[] {
    this.#turn(0);
    return this.take();
  }

  #turn(most: number): void {
    this.#full.push(this.#bytes.subarray(0, this.#length));
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(PIECE_BYTES, most));
    this.#length = 0;
  }
}
