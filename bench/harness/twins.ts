import { type Pair, takeTurns } from "./pairs.ts";
import { withTeam } from "./team.ts";

/**
 * For new objects V8 begins with a megabyte, and takes more as more of them survive: up to 16, which an application under
 * load has. A process that did little else than ask stayed below that, as far as chance would have it, and one that had
 * only loaded poolscope, without a use of it, was 9 to 11 % dearer than one that had not.
 */
export const NURSERY_FLAGS: readonly string[] = ["--min-semi-space-size=16"];

export interface Extent {
  readonly generations: number;
  readonly rounds: number;
  /** Turns of each before it counts, until the code is compiled. */
  readonly warmUps: number;
}

export interface Contest {
  readonly contestants: readonly string[];
  readonly extent: Extent;
  /** What each runs, and what that is started with. */
  readonly module: URL;
  readonly argument: (contestant: string) => unknown;
  /** Of a turn. */
  readonly input: unknown;
  readonly progress: (what: string) => void;
}

/** What was measured of each contestant and of its bare twin, by the name of the contestant. */
export type Pairs<Sample> = Readonly<Record<string, readonly Pair<Sample>[]>>;

/**
 * Each contestant beside a bare twin of its own, two processes started anew every generation. One twin for all of them
 * would run seven times as often as they do, and have its code compiled in other circumstances.
 */
export async function besideBareTwins<Sample>(contest: Contest): Promise<Pairs<Sample>> {
  const { contestants, extent, progress } = contest;
  const pairs: Record<string, Pair<Sample>[]> = Object.fromEntries(contestants.map((name) => [name, []]));
  for (let generation = 1; generation <= extent.generations; generation++) {
    for (const contestant of contestants) {
      progress(`generation ${generation} of ${extent.generations}, ${contestant}`);
      pairs[contestant]?.push(...(await besideBareTwin<Sample>(contestant, generation, contest)));
    }
  }
  return pairs;
}

async function besideBareTwin<Sample>(
  contestant: string,
  generation: number,
  { extent: { rounds, warmUps }, module, argument, input }: Contest,
): Promise<readonly Pair<Sample>[]> {
  return withTeam(async (team) => {
    const turn = (name: string) => team.round<Sample>(name, input);
    for (const name of ["bare", contestant])
      await team.start(name, module, argument(name), { flags: NURSERY_FLAGS });
    await takeTurns("bare", contestant, { rounds: warmUps }, turn);
    const pairs = await takeTurns("bare", contestant, { rounds, generation }, turn);
    await team.finish();
    return pairs;
  });
}
