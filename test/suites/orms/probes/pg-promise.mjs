import { probe } from "../../support/probe.mjs";

await probe(scope, db.$pool, {
  query: async (text) => await db.any(text), // place: query
  transaction: async (text) => await db.tx((tx) => tx.any(text)), // place: transaction
  end: () => db.$pool.end(),
});
