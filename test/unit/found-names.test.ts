import fc from "fast-check";
import pg from "pg";
import { expect, test } from "vitest";
import type { HookablePool } from "../../src/watch/pg-types.ts";
import { poolIdentity } from "../../src/watch/pool-identity.ts";
import { connecting, MARKER, withEnvironment } from "../support/misread.ts";

const URL_OF_SHOP = `postgres://app:${MARKER}@db.example:5433/shop`;

function identityOf(options: object, environment: Readonly<Record<string, string>> = {}) {
  const pool = { Client: pg.Client, options } as unknown as HookablePool;
  return withEnvironment(environment, () => poolIdentity(pool, undefined, {}, () => false));
}

test.each<[string, object, string, string | undefined]>([
  ["a database", { connectionString: URL_OF_SHOP }, "shop", "db.example"],
  ["a database of options", { database: "Größe_1.test-2", host: "::1" }, "Größe_1.test-2", "::1"],
  ["the user's database", { connectionString: "postgres://app:x@db" }, "app", "db"],
  ["a user with an @", { connectionString: "postgres://app@tenant:x@db/shop" }, "shop", "db"],
  ["parameters with an @", { connectionString: "postgres://db/shop?user=a@b&password=x@y" }, "shop", "db"],
  ["a line end behind the URL", { connectionString: `${URL_OF_SHOP}\n` }, "shop", "db.example"],
  [
    "the folder of a socket",
    { host: "/var/run/postgresql", database: "shop" },
    "shop",
    "/var/run/postgresql",
  ],
  ["a folder in the URL", { connectionString: "postgres://app:x@%2Frun%2Fpg/shop" }, "shop", "/run/pg"],
  ["a folder and a database", { connectionString: "/cloudsql/a-b:eu:c shop" }, "shop", "/cloudsql/a-b:eu:c"],
  ["a socket's URL", { connectionString: "socket:/run/pg?db=shop" }, "shop", "/run/pg"],
])("a pool is named after %s", (_, options, name, host) => {
  const identity = identityOf(options);
  expect(identity).toMatchObject({ name, isMisread: false });
  expect(identity.attributes["server.address"]).toBe(host);
  expect(identity.attributes["db.namespace"]).toBe(name);
});

test.each<[string, object, string]>([
  ["its server, if the database is a URL", { database: URL_OF_SHOP, host: "db", port: 5433 }, "db:5433"],
  ["its server in brackets, of IPv6", { database: "a b", host: "::1", port: 5433 }, "[::1]:5433"],
  ["nothing, if the host is a URL", { host: URL_OF_SHOP, user: "a=b" }, "pool"],
  ["nothing, if the server is a folder", { host: "/run/pg", database: "a/b" }, "pool"],
  ["nothing, if the URL has no scheme", { connectionString: `app:${MARKER}@db/shop` }, "pool"],
  ["nothing, of a string in libpq's form", { connectionString: `host=db password=${MARKER}` }, "pool"],
  ["nothing, if a password was cut", { connectionString: `postgres://app:/${MARKER}@db/shop` }, "pool"],
  ["nothing, if it was cut twice", { connectionString: `postgres://app:80/${MARKER}?x@db/shop` }, "pool"],
  [
    "its server, if only the database is wrong",
    { connectionString: `postgres://db/shop&a=${MARKER}` },
    "db:5432",
  ],
  ["its server, if the database is too long", { database: "a".repeat(64), host: "db" }, "db:5432"],
  [
    "its server, if the database is Base64",
    { database: btoa(URL_OF_SHOP).slice(0, 40), host: "db" },
    "db:5432",
  ],
])("a pool whose options are misread is named after %s", (_, options, name) => {
  const identity = identityOf(options);
  expect(identity).toMatchObject({ name, isMisread: true });
  expect(JSON.stringify(identity)).not.toContain(MARKER);
});

test("no password of 100,000 mutated connection strings is in a name or a label", () => {
  let misread = 0;
  let labelled = 0;
  fc.assert(
    fc.property(connecting, ({ options, environment, password }) => {
      const identity = identityOf(options, environment);
      if (identity.isMisread) misread++;
      else if (identity.attributes["db.namespace"]) labelled++;
      const seen = JSON.stringify(identity);
      if (seen.includes(MARKER) || (password.length > 0 && seen.includes(password))) {
        throw new Error(`leaked: ${seen}`);
      }
    }),
    { numRuns: 100_000 },
  );
  // Both kinds are there: what is read as it was meant keeps its labels.
  expect(misread).toBeGreaterThan(20_000);
  expect(labelled).toBeGreaterThan(10_000);
});
