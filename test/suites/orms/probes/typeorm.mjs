import { probe } from "../../support/probe.mjs";

await probe(scope, dataSource.driver.master, {
  query: async (text) => await dataSource.query(text), // place: query
  transaction: async (text) => await dataSource.transaction((manager) => manager.query(text)), // place: transaction
  end: () => dataSource.destroy(),
});
