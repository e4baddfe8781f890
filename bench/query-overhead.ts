/**
 * CPU time of one `pool.query` of a named `SELECT 1`, on a watched pool and on its bare twin. Each measurement is a
 * process of its own, in the order A-B-A-B; what counts is the median of the ratios of neighbours.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { startPostgres } from "../demo/postgres-server.ts";

const ROUNDS = 9;
const QUERIES = 30_000;

export async function queryOverhead(): Promise<void> {
  const server = await startPostgres();
  try {
    const connection = JSON.stringify({
      host: server.host,
      port: server.port,
      user: server.user,
      password: server.password,
    });
    const subject = fileURLToPath(new URL("subjects/query-overhead.ts", import.meta.url));
    const measure = (twin: "bare" | "watched") =>
      Number(
        execFileSync(process.execPath, ["--import", "tsx", subject, twin, String(QUERIES), connection], {
          encoding: "utf8",
        }),
      );
    const rounds = Array.from({ length: ROUNDS }, () => ({
      bare: measure("bare"),
      watched: measure("watched"),
    }));
    const ratios = rounds.map(({ bare, watched }) => watched / bare);
    console.log(
      `query-overhead: ${QUERIES} × pool.query of a named SELECT 1, ${ROUNDS} rounds, CPU per query`,
    );
    console.log(`  bare     ${micros(median(rounds.map(({ bare }) => bare)))}`);
    console.log(`  watched  ${micros(median(rounds.map(({ watched }) => watched)))}`);
    console.log(
      `  ratio    ${median(ratios).toFixed(3)} (${Math.min(...ratios).toFixed(3)}–${Math.max(...ratios).toFixed(3)})`,
    );
  } finally {
    await server.stop();
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function micros(value: number): string {
  return `${value.toFixed(1)} µs`;
}
