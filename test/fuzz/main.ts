/**
 * `npm run fuzz -- --seeds 10000 [--from 1] [--jobs 2] [--concurrency 8] [--subjects bare,recycled]`: scripts of requests,
 * faults of the network and mistakes of the application on a real PostgreSQL. The bare pool is the control.
 */
import { parseArgs } from "node:util";
import { describe } from "./describe.ts";
import { fuzz } from "./fuzz.ts";
import { planOf } from "./plan.ts";
import type { Finding, Subject } from "./run.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "500" },
    from: { type: "string", default: "1" },
    jobs: { type: "string", default: "2" },
    concurrency: { type: "string", default: "8" },
    subjects: { type: "string", default: "bare,recycled" },
    show: { type: "string", default: "5" },
  },
});
const subjects = values.subjects.split(",") as Subject[];
let shown = 0;

const began = performance.now();
const { played, findings, facts } = await fuzz({
  from: Number(values.from),
  seeds: Number(values.seeds),
  jobs: Number(values.jobs),
  concurrency: Number(values.concurrency),
  subjects,
  onPlayed(count, found) {
    for (const finding of found) if (shown++ < Number(values.show)) show(finding);
    if (count % 500 === 0) console.log(`${count} seeds, ${Math.round((performance.now() - began) / 1000)} s`);
  },
});

const { callers, failures, connections, mistakes, millis } = facts;
console.log(
  `${played} seeds in ${Math.round((performance.now() - began) / 1000)} s: ${callers} callers (${failures} with an ` +
    `error), ${connections} connections, ${mistakes} mistakes of the application, ${Math.round(millis / played)} ms a seed`,
);
for (const subject of subjects) {
  const own = findings.filter((finding) => finding.subject === subject);
  const seeds = new Set(own.map((finding) => finding.seed));
  console.log(`${subject}: findings in ${seeds.size} of ${played} seeds`);
  for (const kind of new Set(own.map((finding) => finding.kind))) {
    const ofKind = own.filter((finding) => finding.kind === kind);
    console.log(
      `  ${kind}: ${ofKind.length} (seeds ${ofKind
        .slice(0, 8)
        .map(({ seed }) => seed)
        .join(", ")})`,
    );
  }
}
process.exitCode = findings.length > 0 ? 1 : 0;

function show(finding: Finding): void {
  const { seed, subject, kind, step, detail } = finding;
  console.log(`\nseed ${seed}, ${subject}, after step ${step}: ${kind}: ${detail}`);
  if (seed < 0) return;
  for (const line of describe(planOf(seed))) console.log(`  ${line}`);
}
