import type { ServerResponse } from "node:http";
import onHeaders from "on-headers";
import type { RequestCaller } from "./request-caller.ts";

const HEADER = "Server-Timing";

/**
 * Adds `Server-Timing` when the headers are written: what of the request's pool use has ended by then.
 * https://www.w3.org/TR/server-timing/
 *
 * @param isWanted Asked at that moment. May throw
 * @param hasQueries Whether queries are measured: `db` is left out when they are not
 */
export function timeResponse(
  response: ServerResponse,
  caller: RequestCaller,
  isWanted: () => boolean,
  hasQueries: boolean,
  failed: (error: unknown) => void,
): void {
  onHeaders(response, () => {
    try {
      if (!isWanted()) return;
      const own = `pool;dur=${millis(caller.waitSeconds)}`;
      const all = hasQueries ? `db;dur=${millis(caller.querySeconds)}, ${own}` : own;
      const given = response.getHeader(HEADER);
      response.setHeader(HEADER, given === undefined || given === "" ? all : `${given}, ${all}`);
    } catch (error) {
      failed(error);
    }
  });
}

function millis(seconds: number): string {
  return (seconds * 1000).toFixed(1);
}
