import type { Contestant } from "./contestant.ts";

export const bare: Contestant = async (makePool) => ({ pool: makePool(), check: async () => {} });
