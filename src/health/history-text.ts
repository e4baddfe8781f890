import { percent } from "./percent.ts";

/** How full a pool was when it was sampled. */
export interface Usage {
  readonly used: number;
  readonly capacity: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** What is asked for without a `limit`. */
const FEW = 5;

/**
 * `recent_history` of one pool, or of all together, as JSON: each entry is written once for all limits. Samples are
 * looked up when they are asked for, few or all of them.
 */
export class HistoryText {
  readonly #look: (limit: number) => readonly Usage[];
  readonly #max: number;
  #entries: readonly string[] = [];
  #looked = 0;

  /** @param look Oldest first @param max More are never asked for */
  constructor(look: (limit: number) => readonly Usage[], max: number) {
    this.#look = look;
    this.#max = max;
  }

  last(limit: number): string {
    if (limit > this.#looked) {
      this.#looked = limit <= FEW ? FEW : this.#max;
      this.#entries = this.#look(this.#looked).map(entry);
    }
    return `[${this.#entries.slice(-limit).join(",")}]`;
  }
}

/** Samples of one round carry one time: they become one. */
export function addUp(samples: readonly Usage[], limit: number): Usage[] {
  const rounds = new Map<number, { used: number; capacity: number }>();
  for (const { at, used, capacity } of samples) {
    const round = rounds.get(at);
    if (round) {
      round.used += used;
      round.capacity += capacity;
    } else rounds.set(at, { used, capacity });
  }
  return [...rounds]
    .sort(([a], [b]) => a - b)
    .slice(-limit)
    .map(([at, round]) => ({ at, ...round }));
}

/** As {@link HistoryEntry} in JSON. */
function entry({ used, capacity, at }: Usage): string {
  return `{"checkedout":${used},"usage_percent":${percent(used, capacity)},"timestamp":"${isoOf(at)}"}`;
}

/** All pools are sampled at once: their times are the same. */
const times = new Map<number, string>();
const MAX_TIMES = 1_000;

function isoOf(at: number): string {
  let iso = times.get(at);
  if (iso === undefined) {
    if (times.size >= MAX_TIMES) times.clear();
    iso = new Date(at).toISOString();
    times.set(at, iso);
  }
  return iso;
}
