import type { DemoProcess } from "./demo-process.ts";

/** One of everything that dashboards show, and that the demo's own load does not bring about within seconds. */
export async function stageFaults({ origin, post, postgres }: DemoProcess): Promise<void> {
  await post("/demo/fail?pool=orders&times=5");
  await post("/demo/churn?pool=orders&times=5");
  await holdAllReports({ origin, post });
  await postgres.pause();
  await get(`${origin}/orders`);
  await postgres.resume();
}

/** More reports than the pool has connections for, for longer than callers wait. */
async function holdAllReports({ origin, post }: Pick<DemoProcess, "origin" | "post">): Promise<void> {
  const held = await post("/demo/hold?pool=reports&clients=4&seconds=2&begin=true");
  if (!held.ok) return;
  await Promise.all([1, 2, 3].map(() => get(`${origin}/reports/slow?seconds=1.2`)));
}

async function get(url: string): Promise<void> {
  await (await fetch(url)).arrayBuffer();
}
