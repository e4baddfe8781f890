import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { expected } from "../errors.ts";

/** Whether a request may be answered by the name it was sent to. */
export type HostRule = (request: IncomingMessage) => boolean;

/**
 * Keeps out requests sent to other names than these: a page of anyone's whose own name is made to point here (DNS
 * rebinding) could read the answers in its visitors' browsers. It has to use a name, so addresses and `localhost` pass, as
 * probes and scrapers use them; and so does a request without `Host`, which no browser sends.
 *
 * @throws PoolscopeError `POOLSCOPE_INVALID_OPTION`
 */
export function resolveHosts(given: unknown): HostRule {
  if (given === undefined) return () => true;
  if (!Array.isArray(given) || given.length === 0) throw expected("hosts", "an array of host names", given);
  given.forEach((name: unknown, index) => {
    if (typeof name !== "string" || !HOST_NAME.test(name)) {
      throw expected(`hosts[${index}]`, "a host name without scheme, port and path", name);
    }
  });
  const names: ReadonlySet<string> = new Set((given as string[]).map((name) => name.toLowerCase()));
  return ({ headers }) => {
    const name = headers?.host === undefined ? undefined : nameOf(headers.host);
    return name === undefined || name === "localhost" || isAddress(name) || names.has(name);
  };
}

const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/i;

/** Without the port, and the dot that a full name may end with. */
function nameOf(host: string): string {
  return host.toLowerCase().replace(/:\d*$/, "").replace(/\.$/, "");
}

function isAddress(name: string): boolean {
  return isIP(name.startsWith("[") && name.endsWith("]") ? name.slice(1, -1) : name) !== 0;
}
