import { sql } from "drizzle-orm";
import { probe } from "../../support/probe.mjs";

await probe(scope, db.$client, {
  query: async (text) => await db.execute(sql.raw(text)),
  transaction: async (text) => await db.transaction((tx) => tx.execute(sql.raw(text))), // place: transaction
  end: () => db.$client.end(),
});
