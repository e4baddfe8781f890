import type { Figure } from "./bench.ts";
import { figure, median, quantile } from "./statistics.ts";

const QUIET = 0.2;

/** One turn of the bare twin and one of its neighbour, right after each other. */
export interface Pair<Sample> {
  readonly generation: number;
  readonly bare: Sample;
  readonly other: Sample;
}

/** A-B-B-A: the bare twin takes its turn in one round before its neighbour, in the next after it. */
export async function takeTurns<Sample>(
  bare: string,
  other: string,
  { rounds, generation = 1 }: { readonly rounds: number; readonly generation?: number },
  turn: (name: string) => Promise<Sample>,
): Promise<readonly Pair<Sample>[]> {
  const pairs: Pair<Sample>[] = [];
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) pairs.push({ generation, bare: await turn(bare), other: await turn(other) });
    else pairs.push({ generation, other: await turn(other), bare: await turn(bare) });
  }
  return pairs;
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
