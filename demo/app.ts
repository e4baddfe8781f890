import { setTimeout as sleep } from "node:timers/promises";
import express, { type ErrorRequestHandler, type Express } from "express";
import type { Poolscope } from "poolscope";
import type { Pools } from "./pools.ts";

/** The application: three routes on two pools, and what poolscope adds to it. */
export function createApp({ orders, reports }: Pools, scope: Poolscope): Express {
  scope.watch(orders, { name: "orders" });
  scope.watch(reports, { name: "reports" });

  const app = express();
  app.use("/health", scope.health());
  app.use("/metrics", scope.metrics());
  app.use(scope.routes());

  app.get("/orders", async (_request, response) => {
    const { rows } = await orders.query("SELECT id, item, ordered_at FROM orders ORDER BY id DESC LIMIT 20");
    response.json(rows);
  });

  app.post("/orders", express.json(), async (request, response) => {
    const item = String(request.body?.item ?? "tea");
    const client = await orders.connect();
    try {
      await client.query("BEGIN");
      const { rows } = await client.query("INSERT INTO orders (item) VALUES ($1) RETURNING id", [item]);
      await askForPayment();
      await client.query("INSERT INTO payments (order_id) VALUES ($1)", [rows[0].id]);
      await client.query("COMMIT");
      response.status(201).json({ id: rows[0].id, item });
    } catch (error) {
      await client.query("ROLLBACK").catch(() => {});
      throw error;
    } finally {
      client.release();
    }
  });

  app.get("/reports/slow", async (request, response) => {
    const seconds = Number(request.query["seconds"] ?? 2);
    if (!(seconds > 0 && seconds <= 30)) {
      response.status(400).json({ error: "seconds must be a number above 0, up to 30" });
      return;
    }
    await reports.query("SELECT pg_sleep($1)", [seconds]);
    response.json({ seconds });
  });

  return app;
}

/** To be mounted after all routes. */
export const answerErrors: ErrorRequestHandler = (error, request, response, next) => {
  if (response.headersSent) return next(error);
  if (isPoolTimeout(error)) {
    response.status(503).json({ error: "busy; try again later" });
    return;
  }
  if (error?.status >= 400 && error?.status < 500) {
    response.status(error.status).json({ error: error.message });
    return;
  }
  console.error(`${request.method} ${request.path} - ${error instanceof Error ? error.message : error}`);
  response.status(500).json({ error: "internal error" });
};

function isPoolTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === "timeout exceeded when trying to connect";
}

/** The payment provider takes its time, and the transaction keeps its connection meanwhile. */
async function askForPayment(): Promise<void> {
  await sleep(250 + 200 * Math.random());
}
