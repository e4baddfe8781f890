import { Writable } from "node:stream";

/** What poolscope exports of the pool: the numbers that a bystander can count, too. */
export async function poolscopeNumbers(scope) {
  const [reading] = await scope.readings();
  const { requests, checkouts, connects, closes, waits, waitTimeouts, connectFailures, query } = reading;
  const { queryErrorsByType } = reading;
  const exported = await scrape(scope);
  return {
    ...{ requests, checkouts, connects, closes, waits, waitTimeouts, connectFailures },
    queries: query.count,
    queryErrors: Object.fromEntries(Object.entries(queryErrorsByType).filter(([, count]) => count > 0)),
    exportedQueries: sum(exported, "db_client_operation_duration_seconds_count"),
    exportedCheckouts: sum(exported, "poolscope_pool_checkouts_total"),
  };
}

function sum(text, name) {
  const values = text.split("\n").filter((line) => line.startsWith(`${name}{`));
  return values.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(" "))), 0);
}

function scrape(scope) {
  return new Promise((resolve) => {
    let text = "";
    const response = new Writable({
      write(chunk, _, done) {
        text += chunk;
        done();
      },
    });
    response.setHeader = () => {};
    response.on("finish", () => resolve(text));
    scope.metrics()({ method: "GET", url: "/", headers: {} }, response);
  });
}
