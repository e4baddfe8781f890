import type { SizeAdvice } from "../advice/size-advice.ts";
import { History } from "../readings/history.ts";
import type { PoolReading } from "../readings/pool-reading.ts";
import type { Settings } from "../settings.ts";
import { type AssessedReading, assess } from "./assess.ts";
import type { Usage } from "./history-text.ts";

/** What a judgement is made from, which is made again when somebody asks: kept as text it would be half the history. */
interface Sample {
  readonly at: number;
  readonly reading: Omit<PoolReading, "timestamp">;
  readonly eventLoopDelaySeconds: number;
  readonly advice?: SizeAdvice;
}

/** A hundred numbers at most, and of that moment: with them a pool that is exhausted would take ten times the room. */
const NO_AGES: readonly number[] = Object.freeze([]);

const USAGE = { at: true, reading: { used: true, capacity: true } } as const;

/** The last samples of each pool, with judgements, oldest first. */
export class AssessedHistory {
  readonly #settings: Settings;
  readonly #samples: History<Sample>;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#samples = new History(settings.historySize);
  }

  /** Takes the samples of one round. Pools that are not in it are not watched any more: theirs are dropped. */
  add(round: readonly AssessedReading[], eventLoopDelaySeconds: number): void {
    const samples = round.map((assessed) => {
      const { timestamp, status, condition, verdict, advice, ...reading } = assessed;
      const at = Date.parse(timestamp);
      const kept = { ...reading, waiterAgesSeconds: NO_AGES };
      return [reading.pool, { at, reading: kept, eventLoopDelaySeconds, ...(advice && { advice }) }] as const;
    });
    this.#samples.add(new Map(samples));
  }

  /** A new pool of an old name has no past. */
  forget(pool: string): void {
    this.#samples.forget(pool);
  }

  /** Without what else samples hold: of a hundred of fifty pools that would be some thirty milliseconds' work. */
  usage(pool: string, limit: number): Usage[] {
    return this.#samples.last(pool, limit, USAGE).map(({ at, reading: { used, capacity } }) => {
      return { at, used, capacity };
    });
  }

  last(pool: string, limit: number): AssessedReading[] {
    return this.#samples.last(pool, limit).map(({ at, reading, eventLoopDelaySeconds, advice }) => {
      const { pool, ...numbers } = reading;
      const timestamp = new Date(at).toISOString();
      return assess({ pool, timestamp, ...numbers }, this.#settings, eventLoopDelaySeconds, advice);
    });
  }
}
