import { detach } from "../detached.ts";
import { errorClass, errorCode } from "../error-type.ts";
import type { Logger } from "../logger.ts";
import { ATTR_SERVER_ADDRESS, ATTR_SERVER_PORT } from "../metrics/semconv.ts";
import { idleLimitAdvice } from "../watch/pool-advice.ts";
import type { PoolRegistry } from "../watch/registry.ts";
import { hostAndPort } from "../watch/server-address.ts";
import { budgetAdvice, type ConnectionBudget, connectionBudgets } from "./connection-budget.ts";

/** Pools are mostly watched one after the other: they are looked at together. */
const SETTLE_MILLIS = 1_000;
const TIMEOUT_MILLIS = 5_000;

/** Compares what the watched pools may open with what their servers give: when asked, and once after watching began. */
export class BudgetCheck {
  readonly #registry: PoolRegistry;
  readonly #processes: number;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  #asking: { readonly about: string; readonly budgets: Promise<ConnectionBudget[]> } | undefined;

  constructor(registry: PoolRegistry, processes: number, logger: Logger) {
    this.#registry = registry;
    this.#processes = processes;
    this.#logger = logger;
    if (processes > 0) registry.onAdd(() => this.#schedule());
  }

  /** Calls about the same pools share an answer under way: one connection for each server, whatever asks. */
  budgets(): Promise<ConnectionBudget[]> {
    const pools = this.#registry.all().map((pool) => {
      const { [ATTR_SERVER_ADDRESS]: host, [ATTR_SERVER_PORT]: port } = pool.attributes;
      // Pools whose server is not known may go to different ones.
      const server =
        host === undefined
          ? `the server of ${pool.name}`
          : hostAndPort(String(host), port as number | undefined);
      return { name: pool.name, max: pool.state().limit, server, target: pool.target };
    });
    const about = JSON.stringify(pools.map(({ name, max, server }) => [name, max, server]));
    if (this.#asking?.about === about) return this.#asking.budgets;
    const budgets = connectionBudgets(pools, Math.max(1, this.#processes), TIMEOUT_MILLIS).finally(() => {
      if (this.#asking?.budgets === budgets) this.#asking = undefined;
    });
    this.#asking = { about, budgets };
    return budgets;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      detach(
        () => this.#compare(),
        (error) => this.#failed(error),
      );
    }, SETTLE_MILLIS);
    this.#timer.unref();
  }

  /** The server's own limit of idle sessions is known only now. */
  #adviseOnIdle(name: string, limitSeconds = 0): void {
    const pool = this.#registry.get(name);
    if (!pool) return;
    const { maxLifetimeSeconds = 0, keepAliveSeconds = 0 } = pool.recycling.settings ?? {};
    const advice = idleLimitAdvice(pool.target.options, maxLifetimeSeconds, keepAliveSeconds, limitSeconds);
    if (advice) {
      this.#logger.info(
        `${name} - ${advice.replace("{limit}", `the server's idle_session_timeout=${limitSeconds}s`)}`,
      );
    }
  }

  async #compare(): Promise<void> {
    for (const budget of await this.budgets()) {
      const advice = budgetAdvice(budget);
      if (advice) this.#logger.warn(`poolscope - ${advice}`);
      else if (budget.notCompared) {
        const { server, notCompared } = budget;
        this.#logger.info(`poolscope - connection budget not compared: ${server}: ${notCompared}`);
      }
      for (const { name } of budget.pools) this.#adviseOnIdle(name, budget.idleSessionSeconds);
    }
  }

  /** Quiet: a server that cannot be asked shows in health, and in the application's own errors. */
  #failed(error: unknown): void {
    const type = errorCode(error) ?? errorClass(error);
    this.#logger.debug(`poolscope - the connection budget could not be compared (${type})`);
  }
}
