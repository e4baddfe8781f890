import { createRequire } from "node:module";
import type { MeterProvider, Span, TracerProvider } from "@opentelemetry/api";
import { expected, PoolscopeError } from "../errors.ts";
import { INSTRUMENTATION_NAME } from "../metrics/semconv.ts";
import type { Callers } from "../watch/callers.ts";
import type { HookablePool } from "../watch/pg-types.ts";
import { InstrumentedCalls } from "./instrumented-calls.ts";
import type { QueryTools } from "./pool-queries.ts";

/** What it patches in one module. */
interface ModuleDefinition {
  readonly name: string;
  patch?(exports: unknown): unknown;
  unpatch?(exports: unknown): void;
}

/** As much of PgInstrumentation as is used. https://www.npmjs.com/package/@opentelemetry/instrumentation-pg */
interface Instrumentation {
  setMeterProvider(provider: MeterProvider): void;
  setTracerProvider(provider: TracerProvider): void;
  getModuleDefinitions(): readonly ModuleDefinition[];
  enable(): void;
  disable(): void;
}

type InstrumentationClass = new (config: {
  enabled: boolean;
  responseHook: (span: Span, response: { data: unknown }) => void;
}) => Instrumentation;

type Require = (id: string) => unknown;

let isRunning = false;

/** The official instrumentation, made to measure for poolscope. It patches pg for the whole process: there is one. */
export class InstrumentationPg {
  readonly #calls: InstrumentedCalls;
  readonly #instrumentation: Instrumentation;
  readonly #unpatch: (() => void)[] = [];

  /** @throws PoolscopeError `POOLSCOPE_INVALID_OPTION` */
  constructor(callers: Callers) {
    this.#calls = new InstrumentedCalls(callers);
    if (isRunning) {
      throw refused(
        "in one scope at a time, because it patches pg for the whole process: watch the pools of both in one scope",
      );
    }
    const require = createRequire(import.meta.url);
    const PgInstrumentation = loadInstrumentation(require);
    // Loaded before ours: whoever else instruments pg has patched it then.
    const [Client, Pool] = clientAndPool(require);
    if (isPatched(Client, "query")) {
      throw refused(
        '"poolscope", because another PgInstrumentation has patched pg, and would be torn off: take that one out of ' +
          "the OpenTelemetry set-up, or keep it beside poolscope with poolscopeViews()",
      );
    }
    this.#instrumentation = new PgInstrumentation({ enabled: false, responseHook: this.#calls.responseHook });
    this.#instrumentation.setMeterProvider(this.#calls.meterProvider);
    this.#instrumentation.setTracerProvider(this.#calls.tracerProvider);
    // From here on every copy of pg that is loaded is patched. Those that are there already are not, all the less when
    // another instrumentation was there before them: https://github.com/nodejs/require-in-the-middle caches.
    this.#instrumentation.enable();
    isRunning = true;
    if (Client) this.#patchClient(Client);
    if (Pool) this.#patch("pg-pool", Pool, Pool, "connect");
  }

  readonly follow: QueryTools["follow"] = (queries) => this.#calls.follow(queries);

  /** Whichever copy of pg the pool is of. */
  patchClientsOf(pool: HookablePool): void {
    const { Client } = pool;
    if (isPatched(Client, "query")) return;
    try {
      // Opens nothing, see server-address.ts. The patch reads this of every client, and fails without it.
      const { connectionParameters } = new Client({ ...pool.options, connection: {} }) as {
        connectionParameters?: unknown;
      };
      if (connectionParameters) this.#patchClient(Client);
    } catch {
      // What cannot be made by us cannot be made by the pool either.
    }
  }

  stop(): void {
    for (const unpatch of this.#unpatch.splice(0)) unpatch();
    this.#instrumentation.disable();
    isRunning = false;
  }

  #patchClient(Client: Patchable): void {
    this.#patch("pg", { Client }, Client, "query");
  }

  #patch(name: string, exports: unknown, patched: Patchable, method: string): void {
    if (isPatched(patched, method)) return;
    const definition = this.#instrumentation.getModuleDefinitions().find((module) => module.name === name);
    definition?.patch?.(exports);
    this.#unpatch.push(() => definition?.unpatch?.(exports));
  }
}

/** By `require`, because `poolscope()` is synchronous and the package is CommonJS. */
export function loadInstrumentation(require: Require): InstrumentationClass {
  try {
    return (require(INSTRUMENTATION_NAME) as { PgInstrumentation: InstrumentationClass }).PgInstrumentation;
  } catch (cause) {
    const isMissing = (cause as { code?: unknown }).code === "MODULE_NOT_FOUND";
    const reason = isMissing
      ? `: npm install ${INSTRUMENTATION_NAME}`
      : `, which could not be loaded: ${cause}`;
    const message = `\`queries: "instrumentation-pg"\` needs ${INSTRUMENTATION_NAME}${reason}`;
    throw new PoolscopeError("POOLSCOPE_INVALID_OPTION", message, { cause });
  }
}

function refused(expectation: string): PoolscopeError {
  return expected("queries", expectation, "instrumentation-pg");
}

interface Patchable {
  readonly prototype: object;
}

/** Those of the pg that poolscope's own imports would find, and of its pool; pg need not be there. */
function clientAndPool(require: NodeJS.Require): [Client?: Patchable, Pool?: Patchable] {
  try {
    const { Client } = require("pg") as { Client: Patchable };
    const Pool = createRequire(require.resolve("pg"))("pg-pool") as Patchable;
    return [Client, Pool];
  } catch {
    return [];
  }
}

/** Whether the class, or one it inherits from, has a method wrapped by an OpenTelemetry instrumentation. */
function isPatched(patchable: Patchable | undefined, method: string): boolean {
  for (let prototype: object | null = patchable?.prototype ?? null; prototype; ) {
    const own = Object.getOwnPropertyDescriptor(prototype, method)?.value as
      | { __wrapped?: unknown }
      | undefined;
    if (own?.__wrapped === true) return true;
    prototype = Object.getPrototypeOf(prototype);
  }
  return false;
}
