/**
 * `npm run bench` runs every bench, `npm run bench -- <name>…` those named. `--quick` takes fewer rounds, `--save` writes
 * bench/results.json and docs/performance.md, `--smoke` only sees whether they work, `--only instant.poolQuery` runs the
 * parts of a bench whose names begin like that.
 */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { BENCHES } from "./benches.ts";
import { CATALOGUE } from "./catalogue.ts";
import type { Effort, Findings } from "./harness/bench.ts";
import { leaveCoreToWorkers } from "./harness/cores.ts";
import { thisMachine } from "./harness/machine.ts";
import { performancePage } from "./harness/page.ts";
import { machineLines, type TextTable, targetTable, textTable } from "./harness/report.ts";
import { type Results, savedResults, saveResults } from "./harness/results.ts";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean" },
    smoke: { type: "boolean" },
    save: { type: "boolean" },
    only: { type: "string" },
  },
});
const effort: Effort = flags.smoke ? "smoke" : flags.quick ? "quick" : "full";
const unknown = positionals.filter((name) => !(name in BENCHES));
if (unknown.length > 0) {
  fail(`Expected the names of benches (${Object.keys(BENCHES).join(", ")}), got ${unknown.join(", ")}`);
}
const { only = "" } = flags;
if (flags.save && (effort !== "full" || only)) fail("Expected --save without --quick, --smoke and --only");

leaveCoreToWorkers();
const machine = thisMachine();
const date = new Date().toISOString().slice(0, 16).replace("T", " ");
console.log([`${date} UTC`, ...machineLines(machine)].join("\n"));

for (const [name, bench] of Object.entries(BENCHES)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const findings = await bench({
    effort,
    isWanted: (part) => part.startsWith(only),
    progress: (what) => console.error(`  ${name}: ${what}`),
  });
  print(name, findings);
  if (flags.save) await save({ [name]: { date, machine, ...findings } });
}

/** At once: the benches that follow take long. */
async function save(results: Results): Promise<void> {
  await saveResults(results);
  await writeFile(new URL("../docs/performance.md", import.meta.url), performancePage(await savedResults()));
  console.log("\n  saved in bench/results.json and docs/performance.md");
}

function print(name: string, findings: Findings): void {
  console.log(`\n${name}`);
  const targets = CATALOGUE[name]?.targets ?? {};
  const judged = effort !== "smoke" && Object.keys(targets).length > 0;
  const tables = [...findings.tables.map(textTable), ...(judged ? [targetTable(targets, findings)] : [])];
  for (const table of tables) console.log(`\n  ${table.title}\n${lined(table)}`);
}

function lined({ head, rows }: TextTable): string {
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((cells) => cells[column]?.length ?? 0)),
  );
  const pad = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0);
  return [head, ...rows].map((cells) => `  ${cells.map(pad).join("  ")}`.trimEnd()).join("\n");
}

function fail(reason: string): never {
  console.error(reason);
  process.exit(1);
}
