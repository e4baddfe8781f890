import { shared } from "../http/shared.ts";
import type { DatabaseSource } from "./database.ts";

/** A storm of probes costs one reading per `cacheMillis`. Failures are not kept: the next probe tries again. */
export function cached(source: DatabaseSource, cacheMillis: number): DatabaseSource {
  return { ...source, read: shared(source.read, cacheMillis) };
}
