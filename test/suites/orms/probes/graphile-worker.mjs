import { once } from "node:events";
import { probeJobs } from "../../support/probe.mjs";

await probeJobs(scope, pool, async () => {
  const done = once(runner.events, "job:success");
  await runner.addJob("greet", {});
  await done;
  await runner.stop();
});
