import type { SampleShape, Values, Wanted } from "./sample-shape.ts";

/** By column; undefined: not there. */
type Others = ReadonlyMap<number, unknown>;

const NOTHING: Others = new Map();
const FIRST_BYTES = 1024;
/** A column, of which there may be 2¹⁴, and a double. */
const MOST_BYTES = 10;

/**
 * The last samples of one pool. The youngest is kept as it is, and of each other one what was different in it: a sample
 * of a busy pool takes some 250 bytes so, where the object it came as takes ten times as much.
 */
export class SampleLog<T extends object> {
  readonly #shape: SampleShape<T>;
  readonly #size: number;
  #youngest: Values | undefined;
  /** What turns each sample into the one before it, oldest first: how many bytes of that are in the log. */
  readonly #bytes: number[] = [];
  /** And, rarely, what was no number and is different. */
  readonly #others: (Others | undefined)[] = [];
  #log = Buffer.alloc(FIRST_BYTES);
  #start = 0;
  #end = 0;

  constructor(shape: SampleShape<T>, size: number) {
    this.#shape = shape;
    this.#size = size;
  }

  add(sample: T): void {
    const before = this.#youngest;
    this.#youngest = this.#shape.takeApart(sample);
    if (!before) return;
    this.#bytes.push(this.#writeNumbers(this.#youngest.numbers, before.numbers));
    this.#others.push(changed(this.#youngest.others, before.others));
    if (this.#bytes.length < this.#size) return;
    this.#start += this.#bytes.shift() ?? 0;
    this.#others.shift();
  }

  /** Oldest first. @param wanted Only these of their values */
  last(limit: number, wanted?: Wanted<T>): T[] {
    if (!this.#youngest) return [];
    const values = { numbers: [...this.#youngest.numbers], others: new Map(this.#youngest.others) };
    const samples = [this.#shape.putTogether(values, wanted)];
    let end = this.#end;
    for (let index = this.#bytes.length - 1; index >= 0 && samples.length < limit; index--) {
      const begin = end - (this.#bytes[index] as number);
      this.#undoNumbers(begin, end, values.numbers);
      undo(this.#others[index] ?? NOTHING, values.others);
      samples.push(this.#shape.putTogether(values, wanted));
      end = begin;
    }
    return samples.reverse();
  }

  /** @returns How many bytes it took. */
  #writeNumbers(now: readonly number[], before: readonly number[]): number {
    const begin = this.#reserve(now.length * MOST_BYTES);
    for (let column = 0; column < now.length; column++) {
      const value = now[column] as number;
      const old = before[column] ?? Number.NaN;
      if (!Object.is(value, old)) this.#writeNumber(column, value, old);
    }
    return this.#end - begin;
  }

  /**
   * Most changes are of counts, and small: one byte for the difference, or four; else the old value follows, in four bytes
   * where they hold it exactly, as they do most quantiles, or whole. Two bits below the column tell which.
   */
  #writeNumber(column: number, value: number, old: number): void {
    const difference = old - value;
    const isExact = Number.isSafeInteger(old) && Number.isSafeInteger(value);
    const kind =
      isExact && fits(difference, 8) ? 0 : isExact && fits(difference, 32) ? 1 : isShort(old) ? 3 : 2;
    this.#end = this.#log.writeUInt16LE(column * 4 + kind, this.#end);
    if (kind === 0) this.#end = this.#log.writeInt8(difference, this.#end);
    else if (kind === 1) this.#end = this.#log.writeInt32LE(difference, this.#end);
    else if (kind === 3) this.#end = this.#log.writeFloatLE(old, this.#end);
    else this.#end = this.#log.writeDoubleLE(old, this.#end);
  }

  #undoNumbers(begin: number, end: number, numbers: number[]): void {
    for (let at = begin; at < end; ) {
      const head = this.#log.readUInt16LE(at);
      const [column, kind] = [head >> 2, head & 3];
      at += 2;
      const now = numbers[column] as number;
      if (kind === 0) numbers[column] = now + this.#log.readInt8(at);
      else if (kind === 1) numbers[column] = now + this.#log.readInt32LE(at);
      else if (kind === 3) numbers[column] = this.#log.readFloatLE(at);
      else numbers[column] = this.#log.readDoubleLE(at);
      at += BYTES[kind] as number;
    }
  }

  /** @returns Where there is room. */
  #reserve(bytes: number): number {
    if (this.#end + bytes <= this.#log.length) return this.#end;
    const used = this.#end - this.#start;
    const log = used + bytes > this.#log.length ? Buffer.alloc(Math.ceil((used + bytes) * 1.1)) : this.#log;
    this.#log.copy(log, 0, this.#start, this.#end);
    this.#log = log;
    this.#start = 0;
    this.#end = used;
    return used;
  }
}

const BYTES = [1, 4, 8, 4];

function fits(integer: number, bits: number): boolean {
  return integer >= -(2 ** (bits - 1)) && integer < 2 ** (bits - 1);
}

function isShort(number: number): boolean {
  return Object.is(Math.fround(number), number);
}

function changed(now: Others, before: Others): Others | undefined {
  const columns = [...new Set([...now.keys(), ...before.keys()])];
  const differing = columns.filter((column) => !isSame(before.get(column), now.get(column)));
  return differing.length > 0 ? new Map(differing.map((column) => [column, before.get(column)])) : undefined;
}

/** Empty lists are alike. */
function isSame(a: unknown, b: unknown): boolean {
  return a === b || (Array.isArray(a) && Array.isArray(b) && a.length === 0 && b.length === 0);
}

function undo(changes: Others, others: Map<number, unknown>): void {
  for (const [column, old] of changes) {
    if (old === undefined) others.delete(column);
    else others.set(column, old);
  }
}
