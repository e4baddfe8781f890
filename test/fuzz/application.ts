import pg from "pg";
import { PgPool } from "../support/pg.ts";
import { EventOrder } from "./event-order.ts";
import type { Link } from "./link.ts";
import type { Mistakes } from "./mistakes.ts";
import { ApplicationMistake } from "./mistakes.ts";
import type { PoolPlan } from "./plan.ts";

export interface Server {
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** A pool as an application makes it that makes mistakes, and how many of its dials are under way. */
export interface Application {
  readonly pool: pg.Pool;
  /** When each dial that is under way began. */
  readonly dials: ReadonlyMap<object, number>;
  readonly events: EventOrder;
}

export function makeApplication(
  name: string,
  plan: PoolPlan,
  server: Server,
  link: Link,
  mistakes: Mistakes,
  found: (kind: string, detail: string) => void,
): Application {
  const dials = new Map<object, number>();

  class MistakenClient extends pg.Client {
    constructor(config?: string | pg.ClientConfig) {
      mistakes.throwIfMade("constructor-throws");
      super(config);
    }

    override connect(): Promise<pg.Client>;
    override connect(callback: (error: Error) => void): void;
    override connect(callback?: (error: Error) => void): Promise<pg.Client> | undefined {
      if (!callback) return super.connect();
      mistakes.throwIfMade("connect-throws");
      if (mistakes.isMade("connect-hangs")) return undefined;
      dials.set(this, performance.now());
      super.connect((error: Error) => {
        dials.delete(this);
        callback(error);
      });
      return undefined;
    }
  }

  const onConnect = async (): Promise<void> => {
    if (mistakes.isMade("hook-rejects")) throw new ApplicationMistake("hook-rejects");
    if (mistakes.isMade("hook-hangs")) await new Promise(() => {});
  };
  const verify: NonNullable<pg.PoolConfig["verify"]> = (_client, done) => {
    if (mistakes.isMade("verify-hangs")) return;
    done(mistakes.isMade("verify-fails") ? new ApplicationMistake("verify-fails") : undefined);
  };
  const hasHook =
    mistakes.plans("hook-rejects") || mistakes.plans("hook-hangs") || mistakes.plans("hook-throws");
  const hasVerify = mistakes.plans("verify-fails") || mistakes.plans("verify-hangs");

  const pool = new PgPool({
    ...plan,
    host: "127.0.0.1",
    port: link.port,
    user: server.user,
    password: server.password,
    database: "postgres",
    application_name: name,
    stream: () => link.socket(),
    Client: MistakenClient as unknown as new () => pg.ClientBase,
    ...(hasHook && {
      onConnect: () => {
        mistakes.throwIfMade("hook-throws");
        return onConnect();
      },
    }),
    ...(hasVerify && { verify }),
  });
  pool.on("error", () => {});
  // A holder that does not listen dies of a connection that breaks, in any pool.
  pool.on("connect", (client) => client.on("error", () => {}));
  const events = new EventOrder(pool, hasHook, (detail) => {
    // A listener that throws leaves a client where it was, whatever has been emitted.
    if (!mistakes.made.some((fault) => fault.includes("listener"))) found("order of events", detail);
  });
  pool.on("connect", () => mistakes.throwIfMade("connect-listener-throws"));
  pool.on("acquire", () => mistakes.throwIfMade("acquire-listener-throws"));
  pool.on("release", () => mistakes.throwIfMade("release-listener-throws"));
  pool.on("remove", () => mistakes.throwIfMade("remove-listener-throws"));
  return { pool, dials, events };
}
