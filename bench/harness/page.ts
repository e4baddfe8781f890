import { CATALOGUE } from "../catalogue.ts";
import { CONTESTANTS } from "../contestants/contestants.ts";
import { machineLines, type TextTable, targetTable, textTable } from "./report.ts";
import type { Result, Results } from "./results.ts";

/** docs/performance.md, which says what `npm run bench -- --save` found, and no more. */
export function performancePage(results: Results): string {
  const benches = Object.entries(CATALOGUE).flatMap(([name, { about, targets }]) => {
    const result = results[name];
    return result ? [section(name, about, targetTable(targets, result), result)] : [];
  });
  return `<!-- Generated from bench/results.json by \`npm run generate\`: do not edit. -->

# Performance

What watching costs, measured beside the same without it, and beside others that watch pools.

## How to read it

* Each of those compared runs in a process of its own, and takes turns with a bare twin, in changing order. What counts is
  the ratio of the two neighbours: the machine is as fast or slow for both. In \`query-overhead\` and \`saturation\` each
  has a twin that takes turns with nobody else, so that both run equally often.
* In \`query-overhead\` and \`saturation\` the first tenth of a turn does not count: an application in steady use has not
  just slept while others used the caches, nor has poolscope stacks to note that it saved up in a pause.
* There each process, bare ones too, has lived before anything counts: a connection was opened and closed, as any pool's
  are, and statements of several shapes ran. V8 compiles pg's own code for what it has seen of it, and a process that has
  only ever asked one thing is cheaper than any application. One that stays so, and watches, pays for the connection that
  poolscope opens and closes a second after the start, to ask for \`max_connections\` (\`processes: 0\` opens none).
* There V8 has as much room for new objects from the start as an application under load soon has
  (\`--min-semi-space-size=16\`): otherwise it depends on what else a process has loaded.
* Figures are medians of all turns, with the lowest and the highest in brackets.
* *Of the quiet turns* is the ratio of the lowest fifths: other processes of the machine add to a turn, and never take from it.
* *By generation* are the medians of pairs of processes started anew: no two are compiled and laid out in memory alike, and
  how far these are apart is how far a figure can be trusted. So is *bare again*, a second bare twin.
* Every bench checks what was counted, and fails where a count is wrong.
* Absolute times are those of one machine. Ratios differ less from machine to machine, but they do.

## How to reproduce it

\`\`\`sh
npm ci
npm run bench                    # all of them; \`npm run bench -- query-overhead\` one; \`-- --quick\` in fewer rounds
npm run bench -- --save          # writes bench/results.json and this page
npm run bench:guard              # what CI runs: the added cost of a query against a budget
\`\`\`

## Who is compared

${list(Object.entries(CONTESTANTS).map(([name, { about }]) => `**${name}**: ${about}`))}

${benches.join("\n")}`;
}

function section(name: string, about: string, targets: TextTable, { date, machine, tables }: Result): string {
  const parts = [
    `## ${name}`,
    about,
    `${date} UTC. ${machineLines(machine).join(". ")}.`,
    ...(targets.rows.length > 0 ? [markdown(targets)] : []),
    ...tables.map(textTable).map((table) => `### ${table.title}\n\n${markdown(table)}`),
  ];
  return `${parts.join("\n\n")}\n`;
}

function list(items: readonly string[]): string {
  return items.map((item) => `* ${item}`).join("\n");
}

function markdown({ head, rows }: TextTable): string {
  const lines = [head, head.map((_, column) => (column === 0 ? "---" : "---:")), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
