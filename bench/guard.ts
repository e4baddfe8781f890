/**
 * `npm run bench:guard` fails when a query of a watched pool costs more than its budget. The budget is no time but a
 * multiple of a unit of similar work measured in the same process, in turns with the pools, so that it holds on slow and
 * on busy machines. Where a process is over it, two more are asked: code is not compiled alike in each, and a real
 * regression is over it in all.
 */
import type { CaseName, Measured } from "./guard/worker.ts";
import { withTeam } from "./harness/team.ts";

/** Units of {@link calibrate} that watching may add to one checkout with one query. */
const BUDGETS: Readonly<Record<CaseName, number>> = { poolQuery: 3, explicit: 6 };
const ATTEMPTS = 3;
const ROUNDS = 120;
const MODULE = new URL("./guard/worker.ts", import.meta.url);

async function measure(name: CaseName): Promise<Measured> {
  return withTeam(async (team) => {
    await team.start("guard", MODULE, name);
    await team.round("guard", ROUNDS / 4); // until the code is compiled
    const measured = await team.round<Measured>("guard", ROUNDS);
    await team.finish();
    return measured;
  });
}

for (const [name, budget] of Object.entries(BUDGETS) as [CaseName, number][]) {
  let isWithin = false;
  for (let attempt = 1; attempt <= ATTEMPTS && !isWithin; attempt++) {
    const { calibration, bare, watched } = await measure(name);
    const units = (watched - bare) / calibration;
    isWithin = units <= budget;
    console.log(
      `${name}: watching adds ${units.toFixed(1)} units of ${calibration.toFixed(0)} ns to ${bare.toFixed(0)} ns; ` +
        `budget ${budget}${isWithin ? "" : ": over it"}`,
    );
  }
  if (!isWithin) process.exitCode = 1;
}
