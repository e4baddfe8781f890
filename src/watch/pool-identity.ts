import type { Attributes } from "@opentelemetry/api";
import { expected } from "../errors.ts";
import {
  ATTR_NAMESPACE,
  ATTR_POOL_NAME,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  ATTR_SYSTEM,
} from "../metrics/semconv.ts";
import type { HookablePool } from "./pg-types.ts";
import { defaultPoolName, serverAddress } from "./server-address.ts";

/** Logged once for a pool. What was read is not quoted: it may hold a password. */
export const MISREAD: string =
  "the connection string looks misread: what pg takes for its database or host does not look like one, and is shown " +
  "nowhere; percent-encode user and password (encodeURIComponent), or give host, port, user, password and database " +
  "as options of their own";

export interface PoolIdentity {
  readonly name: string;
  /** What every metric of this pool carries. */
  readonly attributes: Attributes;
  /** What pg read from its options does not look like a database or a host, and is in neither of them. */
  readonly isMisread: boolean;
}

/** @throws PoolscopeError `POOLSCOPE_DUPLICATE_NAME` when the name was given and is taken. A found name is made free. */
export function poolIdentity(
  pool: HookablePool,
  givenName: string | undefined,
  extra: Attributes,
  isTaken: (name: string) => boolean,
): PoolIdentity {
  const address = serverAddress(pool);
  if (givenName !== undefined && isTaken(givenName)) {
    throw expected("name", "unique among the watched pools", givenName, "POOLSCOPE_DUPLICATE_NAME");
  }
  const name = givenName ?? freeName(defaultPoolName(address), isTaken);
  const { database, host, port } = address;
  return {
    name,
    attributes: {
      ...extra,
      [ATTR_POOL_NAME]: name,
      [ATTR_SYSTEM]: "postgresql",
      ...(database !== undefined && { [ATTR_NAMESPACE]: database }),
      ...(host !== undefined && { [ATTR_SERVER_ADDRESS]: host }),
      ...(port !== undefined && { [ATTR_SERVER_PORT]: port }),
    },
    isMisread: address.isMisread === true,
  };
}

function freeName(name: string, isTaken: (name: string) => boolean): string {
  if (!isTaken(name)) return name;
  let number = 2;
  while (isTaken(`${name}-${number}`)) number++;
  return `${name}-${number}`;
}
