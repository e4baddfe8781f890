/** How thoroughly: `quick` for a first look, `smoke` only to see that it works: its times mean nothing. */
export type Effort = "full" | "quick" | "smoke";

/** A number as it was measured, several times. */
export interface Figure {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Null where there is nothing to say. */
export type Cell = Figure | number | string | null;

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly { readonly name: string; readonly cells: readonly Cell[] }[];
}

/** What a bench found. It throws where what was measured did not do what it should have done. */
export interface Findings {
  readonly tables: readonly Table[];
  /** What was reached, by the name of the target. */
  readonly reached?: Readonly<Record<string, number>>;
}

export interface Situation {
  readonly effort: Effort;
  /** Whether this part is wanted (`--only`). */
  readonly isWanted: (part: string) => boolean;
  /** Says on stderr how far it is. */
  readonly progress: (what: string) => void;
}

export type Bench = (situation: Situation) => Promise<Findings>;
