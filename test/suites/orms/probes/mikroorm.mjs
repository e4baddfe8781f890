import { defineEntity, p } from "@mikro-orm/postgresql";
import { probe } from "../../support/probe.mjs";

const Database = defineEntity({
  name: "Database",
  tableName: "pg_database",
  properties: { oid: p.integer().primary() },
});
orm.discoverEntity(Database);
// The pool is created by the first query.
await orm.em.fork().find(Database, {});

await probe(scope, await orm.em.getConnection().getNativeClient(), {
  query: async (text) => {
    const builder = orm.em.fork().createQueryBuilder(Database).where(`(${text}) = 1`);
    await builder.getResult(); // place: query
  },
  transaction: async (text) => await orm.em.fork().transactional((em) => em.execute(text)), // place: transaction
  end: () => orm.close(),
});
