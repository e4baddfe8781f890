/** `npm run bench` runs every bench, `npm run bench -- <name>` one. */
import { cpus } from "node:os";
import { hookOverhead } from "./hook-overhead.ts";
import { peerInstrumentationPg } from "./peers/instrumentation-pg.ts";
import { queryOverhead } from "./query-overhead.ts";
import { shed } from "./shed.ts";

const benches: Record<string, () => Promise<void>> = {
  "hook-overhead": hookOverhead,
  "query-overhead": queryOverhead,
  shed,
  // Last, because it patches pg for a while.
  peers: peerInstrumentationPg,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in benches));
if (unknown.length > 0) {
  console.error(
    `Expected the names of benches (${Object.keys(benches).join(", ")}), got ${unknown.join(", ")}`,
  );
  process.exit(1);
}

const [cpu] = cpus();
console.log(
  `${cpu?.model ?? "unknown CPU"} × ${cpus().length}, Node ${process.versions.node}, ${process.platform}`,
);
for (const [name, bench] of Object.entries(benches)) {
  if (wanted.length === 0 || wanted.includes(name)) await bench();
}
