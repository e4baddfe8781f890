/** One twin, measured in this process. Prints the CPU microseconds of one query. */
import pg from "pg";
import { poolscope } from "poolscope";

const [twin, count = "1", connection = "{}"] = process.argv.slice(2);
const queries = Number(count);
const pool = new pg.Pool({ ...JSON.parse(connection), database: "postgres", max: 4 });
const scope = twin === "watched" ? poolscope() : undefined;
scope?.watch(pool, { name: "bench" });

const query = { name: "one", text: "SELECT 1" };
async function run(times: number): Promise<void> {
  const workers = Array.from({ length: 4 }, async () => {
    for (let index = 0; index < times / 4; index++) await pool.query(query);
  });
  await Promise.all(workers);
}

await run(4_000); // until the code is compiled
const before = process.cpuUsage();
await run(queries);
const { user, system } = process.cpuUsage(before);

if (scope) {
  const [reading] = await scope.readings();
  if (reading?.checkouts !== queries + 4_000 || reading.wait.count !== queries + 4_000) {
    throw new Error(`counted ${reading?.checkouts} checkouts of ${queries + 4_000}`);
  }
  await scope.shutdown();
}
await pool.end();
console.log((user + system) / queries);
