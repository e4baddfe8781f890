/** How much is handed to a connection at once: the next follows when the client has taken it. */
const PIECE_BYTES = 2 ** 20;

/** What one answer, or many at once, consist of. In pieces, so that it can be sent while it still grows. */
export interface Text {
  /** Bytes, as far as it has grown. */
  readonly length: number;
  /** Whether it has grown to its end. */
  readonly isWhole: boolean;
  /** The piece at this place, if it is there already. */
  known(place: number): Buffer | undefined;
  /** The same; makes it where it is not there yet. Undefined: there are no more. May throw */
  piece(place: number): Buffer | undefined;
  /** A reader needs nothing before this place any more; of an infinite one, nothing at all. */
  passed(reader: object, place: number): void;
}

/** A text that is there. */
export class WholeText implements Text {
  readonly length: number;
  readonly isWhole = true;
  readonly #bytes: Buffer;

  constructor(text: string) {
    this.#bytes = Buffer.from(text);
    this.length = this.#bytes.length;
  }

  known(place: number): Buffer | undefined {
    if (place === 0 && this.length <= PIECE_BYTES) return this.#bytes;
    const begin = place * PIECE_BYTES;
    return begin < this.length ? this.#bytes.subarray(begin, begin + PIECE_BYTES) : undefined;
  }

  piece(place: number): Buffer | undefined {
    return this.known(place);
  }

  passed(): void {}
}

/** Longer texts are let go of while they are read: kept, 43 MB of a thousand pools took twice the CPU, for fresh pages. */
const KEPT_BYTES = 2 ** 23;

/** A text that is made piece by piece, by whichever of its readers comes first to where it ends. */
export class GrowingText implements Text {
  length = 0;
  isWhole = false;
  /** Those before {@link #first} have been let go of. */
  readonly #pieces: (Buffer | undefined)[] = [];
  #first = 0;
  readonly #readers = new Map<object, number>();
  readonly #source: Iterator<Buffer>;

  constructor(source: Iterable<Buffer>) {
    this.#source = source[Symbol.iterator]();
  }

  /** Whether it can still be read from its beginning. */
  get hasBeginning(): boolean {
    return this.#first === 0;
  }

  known(place: number): Buffer | undefined {
    return this.#pieces[place];
  }

  piece(place: number): Buffer | undefined {
    while (place >= this.#pieces.length && !this.isWhole) {
      const { done, value } = this.#source.next();
      if (done) {
        this.isWhole = true;
        break;
      }
      this.#pieces.push(value);
      this.length += value.length;
    }
    return this.#pieces[place];
  }

  passed(reader: object, place: number): void {
    if (place === Number.POSITIVE_INFINITY) this.#readers.delete(reader);
    else this.#readers.set(reader, place);
    if (this.length <= KEPT_BYTES) return;
    const needed = Math.min(this.#pieces.length, ...this.#readers.values());
    while (this.#first < needed) this.#pieces[this.#first++] = undefined;
  }
}
