import { probeJobs } from "../../support/probe.mjs";

await probeJobs(scope, pool, async () => {
  await boss.start();
  await boss.createQueue("mails");
  await boss.send("mails", {});
  const [job] = await boss.fetch("mails");
  await boss.complete("mails", job.id);
  await boss.stop({ graceful: false });
});
