import { probe } from "../../support/probe.mjs";

const dataSource = app.get(DataSource);

class Items {
  async query(text) {
    return await dataSource.query(text); // place: query
  }

  async transaction(text) {
    return await dataSource.transaction((manager) => manager.query(text)); // place: transaction
  }
}

const items = new Items();
await probe(scope, dataSource.driver.master, {
  query: (text) => items.query(text),
  transaction: (text) => items.transaction(text),
  end: () => app.close(),
});
