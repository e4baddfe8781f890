import { expect, test } from "vitest";
import { scrape } from "../support/exported.ts";
import { makePool, makeScope } from "../support/pools.ts";

test("rows of queries beyond a thousand series are put down to nobody, not to the first of them", async () => {
  const scope = makeScope({
    maxQueryNames: 1_000,
    queryName: ({ text }) => /name\d+/.exec(String(text))?.[0],
  });
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  const client = await pool.connect();
  for (let n = 0; n < 600; n++) {
    await client.query(`SELECT 'name${n}'`);
    await expect(client.query(`SELECT 'name${n}' / 0`)).rejects.toThrow();
  }
  client.release();
  const exported = await scrape(scope);
  const rows = exported.all.filter(({ name }) => name === "db_client_response_returned_rows_count");
  const rowsOf = (name: string | undefined) =>
    rows.filter(({ labels }) => labels["db_query_summary"] === name).map(({ value }) => value);
  expect(rowsOf("name499")).toEqual([1]);
  expect(rowsOf("name500")).toEqual([]);
  expect(rowsOf(undefined)).toEqual([100]);
});
