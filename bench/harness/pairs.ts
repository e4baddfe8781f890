import type { Figure } from "./bench.ts";
import { figure, median, quantile } from "./statistics.ts";

const QUIET = 0.2;

/** One turn of the bare twin and one of its neighbour, right after each other. */
export interface Pair<Sample> {
  readonly generation: number;
  readonly bare: Sample;
  readonly other: Sample;
}

export type Pairs<Sample> = Readonly<Record<string, readonly Pair<Sample>[]>>;

/** A-B-A-B: the bare twin takes its turn beside every turn of another, in one round before it and in the next after it. */
export async function takeTurns<Sample>(
  names: readonly string[],
  bare: string,
  { rounds, generation }: { readonly rounds: number; readonly generation: number },
  turn: (name: string) => Promise<Sample>,
): Promise<Pairs<Sample>> {
  const others = names.filter((name) => name !== bare);
  const pairs = Object.fromEntries(others.map((name) => [name, [] as Pair<Sample>[]]));
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? others : [...others].reverse()) {
      const inOrder = round % 2 === 0 ? [bare, name] : [name, bare];
      const [first, second] = [await turn(inOrder[0]!), await turn(inOrder[1]!)];
      const [ofBare, other] = round % 2 === 0 ? [first, second] : [second, first];
      pairs[name]?.push({ generation, bare: ofBare, other });
    }
  }
  return pairs;
}

export function merge<Sample>(all: readonly Pairs<Sample>[]): Pairs<Sample> {
  const names = new Set(all.flatMap((pairs) => Object.keys(pairs)));
  return Object.fromEntries([...names].map((name) => [name, all.flatMap((pairs) => pairs[name] ?? [])]));
}

/** How the neighbours compare, pair by pair. */
export class Comparison<Sample> {
  readonly #pairs: readonly Pair<Sample>[];
  readonly #value: (sample: Sample) => number;

  constructor(pairs: readonly Pair<Sample>[], value: (sample: Sample) => number) {
    this.#pairs = pairs;
    this.#value = value;
  }

  get bare(): Figure {
    return figure(this.#pairs.map(({ bare }) => this.#value(bare)));
  }

  get other(): Figure {
    return figure(this.#pairs.map(({ other }) => this.#value(other)));
  }

  get ratio(): Figure {
    return figure(this.#ratios(this.#pairs));
  }

  /** Of the lowest fifths: other processes of the machine add to a turn, and never take from it. */
  get quietRatio(): number {
    const [bare, other] = [this.#pairs.map((pair) => pair.bare), this.#pairs.map((pair) => pair.other)];
    return quantile(other.map(this.#value), QUIET) / quantile(bare.map(this.#value), QUIET);
  }

  get added(): Figure {
    return figure(this.#pairs.map(({ bare, other }) => this.#value(other) - this.#value(bare)));
  }

  /** The medians of the ratios of each generation of processes: no two are compiled and laid out alike. */
  get ratioByGeneration(): string {
    const generations = [...new Set(this.#pairs.map(({ generation }) => generation))];
    return generations
      .map((wanted) => median(this.#ratios(this.#pairs.filter(({ generation }) => generation === wanted))))
      .map((ratio) => ratio.toFixed(3))
      .join(", ");
  }

  #ratios(pairs: readonly Pair<Sample>[]): number[] {
    return pairs.map(({ bare, other }) => this.#value(other) / this.#value(bare));
  }
}
