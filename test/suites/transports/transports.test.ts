import { describe, expect, inject, test } from "vitest";
import { type Mode, numbersOf, runApplication } from "../support/run-application.ts";

interface Transport {
  readonly name: string;
  readonly pool: object;
  /** What the server knows of a connection. */
  readonly seen: { readonly ssl: boolean; readonly address: string | null };
  /** The server's name in poolscope's budget. */
  readonly server: string;
}

const { user, password, port, socketFolder, authority } = inject("suites");
const tls = { ca: authority, rejectUnauthorized: true };

const TRANSPORTS: readonly Transport[] = [
  {
    name: "TLS with a certificate that is verified",
    pool: { host: "127.0.0.1", ssl: tls },
    seen: { ssl: true, address: "127.0.0.1" },
    server: `127.0.0.1:${port}`,
  },
  {
    name: "a Unix socket",
    pool: { host: socketFolder },
    seen: { ssl: false, address: null },
    server: socketFolder,
  },
  {
    name: "IPv6",
    pool: { host: "::1" },
    seen: { ssl: false, address: "::1" },
    server: `[::1]:${port}`,
  },
  {
    name: "TLS on IPv6",
    pool: { host: "::1", ssl: tls },
    seen: { ssl: true, address: "::1" },
    server: `[::1]:${port}`,
  },
];

function run(mode: Mode, transport: Transport) {
  const pool = { user, password, port, database: "postgres", ...transport.pool };
  return runApplication({ mode, pool, asksServer: true });
}

describe.each(TRANSPORTS)("over $name", (transport) => {
  test("a pool gives the same results, errors, events and numbers, watched and recycled", async () => {
    const [bare, watched, recycled] = await Promise.all([
      run("bare", transport),
      run("watched", transport),
      run("recycled", transport),
    ]);
    expect(bare.account).toContain(`result ${JSON.stringify([transport.seen])}`);
    for (const { account, counts, numbers, budgets } of [watched, recycled]) {
      expect(account).toEqual(bare.account);
      expect(counts).toEqual(bare.counts);
      expect(numbers).toEqual(numbersOf(bare.counts));
      expect(budgets).toMatchObject([{ server: transport.server, maxConnections: 200 }]);
    }
  });
});
