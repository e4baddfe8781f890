import { type PoolscopeOptions, poolscope } from "poolscope";
import { scrape } from "../../test/support/exported.ts";
import { type Contestant, expectCount } from "./contestant.ts";

export const everything: Contestant = watchedWith({});
export const poolOnly: Contestant = watchedWith({ queries: "off", leakAfterMillis: 0 });

function watchedWith(options: PoolscopeOptions): Contestant {
  return async (makePool) => {
    const pool = makePool();
    const scope = poolscope(options);
    scope.watch(pool, { name: "bench" });
    return {
      pool,
      async check({ checkouts, queries }) {
        const exported = await scrape(scope);
        const value = (name: string) => exported.value("bench", name);
        expectCount("checkouts", value("poolscope_pool_checkouts_total"), checkouts);
        expectCount("waits", value("db_client_connection_wait_time_seconds_count"), checkouts);
        expectCount("holds", value("db_client_connection_use_time_seconds_count"), checkouts);
        const measured = options.queries === "off" ? undefined : queries;
        expectCount("queries", value("db_client_operation_duration_seconds_count"), measured);
        await scope.shutdown();
      },
    };
  };
}
