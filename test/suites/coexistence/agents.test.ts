import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { newerNode } from "../support/installed.ts";
import { type Account, type Mode, numbersOf, runApplication } from "../support/run-application.ts";

interface Agent {
  readonly name: string;
  readonly agent: string;
  readonly node?: () => string;
  /** A span that it records when it is loaded before pg. */
  readonly records: string;
  /** A span that it records when pg is loaded already; undefined when it leaves such a pg alone. */
  readonly recordsLater?: string;
}

const ACQUIRED = "pg.pool.acquire: pg.pool.acquire";
const AGENTS: readonly Agent[] = [
  { name: "dd-trace 5", agent: "dd-trace@5", records: "pg.query: BEGIN", recordsLater: ACQUIRED },
  {
    name: "dd-trace 6",
    agent: "dd-trace@6",
    node: newerNode,
    records: "pg.query: BEGIN",
    recordsLater: ACQUIRED,
  },
  { name: "Sentry", agent: "sentry", records: "BEGIN ok" },
  {
    name: "OpenTelemetry",
    agent: "opentelemetry",
    records: "pg.query:BEGIN postgres ok",
    recordsLater: "pg.query:BEGIN postgres ok",
  },
];
const ORDERS = [
  { order: "before", agentFirst: true },
  { order: "after", agentFirst: false },
];

const USES = ["watched", "recycled"] as const;

/** What dd-trace takes for its agent. */
let sink: Server;
let withoutAgent: Account;

beforeAll(async () => {
  sink = createServer((request, response) => {
    request.resume();
    response.setHeader("content-type", "application/json");
    response.end("{}");
  });
  sink.listen(0, "127.0.0.1");
  await once(sink, "listening");
  withoutAgent = await run("bare");
});
afterAll(() => {
  sink.closeAllConnections();
  sink.close();
});

function run(mode: Mode, agent?: Agent, agentFirst?: boolean): Promise<Account> {
  const { user, password, port } = inject("suites");
  const pool = { host: "127.0.0.1", port, user, password, database: "postgres" };
  const sinkUrl = `http://127.0.0.1:${(sink.address() as AddressInfo).port}`;
  const loaded = agent && { agent: agent.agent, agentFirst: agentFirst === true, sinkUrl };
  // poolscope asks the server nothing: to an agent its own connection is one like any other, with spans.
  return runApplication({ mode, pool, scope: { processes: 0 }, ...loaded }, agent?.node?.());
}

describe.each(AGENTS)("beside $name", (agent) => {
  describe.each(ORDERS)("loaded $order the pool is given to poolscope", ({ agentFirst }) => {
    let accounts: Record<Mode, Account>;

    beforeAll(async () => {
      const bare = run("bare", agent, agentFirst);
      const [watched, recycled] = await Promise.all(USES.map((mode) => run(mode, agent, agentFirst)));
      accounts = { bare: await bare, watched, recycled } as Record<Mode, Account>;
    });

    test("a bare pool has the spans that show what the agent patched", () => {
      const { spans } = accounts.bare;
      const expected = agentFirst ? agent.records : agent.recordsLater;
      if (expected) expect(spans).toContain(expected);
      else expect(spans).not.toContain(agent.records);
    });

    test.each(USES)("a %s pool gives the same results, errors and events", (mode) => {
      expect(accounts[mode].account).toEqual(accounts.bare.account);
    });

    test.each(USES)("a %s pool has the same spans", (mode) => {
      expect(accounts[mode].spans).toEqual(accounts.bare.spans);
    });

    test.each(USES)("a %s pool has the numbers of a bare one without the agent", (mode) => {
      expect(accounts[mode].counts).toEqual(withoutAgent.counts);
      expect(accounts[mode].numbers).toEqual(numbersOf(withoutAgent.counts));
    });

    test("no connection leaves the machine", () => {
      for (const { hostsOutside } of Object.values(accounts)) expect(hostsOutside).toEqual([]);
    });
  });
});
