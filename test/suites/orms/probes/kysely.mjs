import { sql } from "kysely";
import { probe } from "../../support/probe.mjs";

await probe(scope, pool, {
  query: async (text) => await sql.raw(text).execute(db), // place: query
  transaction: async (text) => await db.transaction().execute((tx) => sql.raw(text).execute(tx)), // place: transaction
  end: () => db.destroy(),
});
