import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const guard = fileURLToPath(new URL("../application/outside.mjs", import.meta.url));

test.each([
  ["net", `require("node:net").connect(80, "192.0.2.1")`],
  ["http", `require("node:http").get("http://192.0.2.1/")`],
  ["tls", `require("node:tls").connect({ host: "192.0.2.1", port: 443 })`],
  ["fetch", `fetch("http://192.0.2.1/").catch((error) => { throw error.cause; })`],
])("a connection by %s to another machine is refused", async (_, attempt) => {
  const run = promisify(execFile)(process.execPath, ["--import", guard, "--eval", attempt]);
  await expect(run).rejects.toThrow("a connection to 192.0.2.1 would leave the machine");
});
