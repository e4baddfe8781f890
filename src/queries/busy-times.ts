/** As many kinds of statements as are followed at a time. */
export const MOST_KINDS = 12;
/** Each number of connections up to here for itself. Above, four groups to the octave. */
const EXACT = 16;

/** By group of connections, two numbers each: how many queries, and their seconds together. */
export type GroupTimes = number[];

/** By kind of statement, see {@link BusyTimes}. */
export type KindTimes = Map<number, GroupTimes>;

/**
 * Query time by how many connections of the pool were in use when the query began. Apart by kind of statement, so that a
 * job with slow statements that comes with many connections does not look like a slow server. Statements of one length are
 * one kind: that costs nothing to find out, and the same statement always is.
 */
export class BusyTimes {
  #kinds: KindTimes = new Map();

  add(busy: number, textLength: number, seconds: number): void {
    if (busy < 1) return;
    let times = this.#kinds.get(textLength);
    if (!times) {
      if (this.#kinds.size >= MOST_KINDS) return;
      times = [];
      this.#kinds.set(textLength, times);
    }
    const at = 2 * groupOf(busy);
    while (times.length < at + 2) times.push(0);
    times[at] = (times[at] as number) + 1;
    times[at + 1] = (times[at + 1] as number) + seconds;
  }

  /** What was added since this was called last. */
  take(): KindTimes {
    const taken = this.#kinds;
    this.#kinds = new Map();
    return taken;
  }
}

function groupOf(busy: number): number {
  if (busy < EXACT) return busy - 1;
  const octave = 31 - Math.clz32(busy);
  return EXACT - 1 + 4 * (octave - 4) + ((busy >>> (octave - 2)) & 3);
}

/** The fewest connections of a group. */
export function connectionsOf(group: number): number {
  if (group < EXACT - 1) return group + 1;
  const above = group - (EXACT - 1);
  return (4 + (above % 4)) * 2 ** (Math.floor(above / 4) + 2);
}
