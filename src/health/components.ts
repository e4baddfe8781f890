import { errorClass, errorCode } from "../error-type.ts";
import type { ComponentCheck } from "../options.ts";
import type { HealthStatus } from "./assess.ts";

/** A part of the whole that the application looks after itself, as the health pages show it. */
export interface ComponentHealth {
  readonly status: HealthStatus;
  /** Why it is not healthy, where poolscope can tell. */
  readonly message?: string;
  /** Whatever else the check returned. Only where details are allowed. */
  readonly [detail: string]: unknown;
}

/** A component as its options say, with defaults. */
export interface ComponentSettings {
  readonly check: ComponentCheck;
  readonly timeoutMillis: number;
  readonly cacheMillis: number;
  /** Whether the application is not ready without it. */
  readonly isNeeded: boolean;
  /** Whether the `message` of the check is shown to all: poolscope's own holds no secrets, the application's may. */
  readonly showsMessage?: boolean;
}

/** One answer of a check, with what may be shown to all apart from the rest. */
interface Answer {
  readonly shown: ComponentHealth;
  readonly details: Readonly<Record<string, unknown>>;
}

const STATUSES: readonly unknown[] = ["healthy", "warning", "critical", "unknown"] satisfies HealthStatus[];

/** The application's own checks, each with a deadline and a memory of its own: none delays another. */
export class Components {
  readonly #checks: readonly [name: string, check: CachedCheck][];
  readonly #needed: ReadonlySet<string>;

  constructor(components: Readonly<Record<string, ComponentSettings>>) {
    const entries = Object.entries(components);
    this.#checks = entries.map(([name, component]) => [name, new CachedCheck(component)]);
    this.#needed = new Set(entries.filter(([, { isNeeded }]) => isNeeded).map(([name]) => name));
  }

  /** Why those are critical without which the application can serve nobody. */
  async failing(): Promise<string[]> {
    const needed = this.#checks.filter(([name]) => this.#needed.has(name));
    const looked = await Promise.all(
      needed.map(async ([name, check]) => ({ name, ...(await check.look()).shown })),
    );
    return looked
      .filter(({ status }) => status === "critical")
      .map(({ name, message = "critical" }) => `${name}: ${message}`);
  }

  /** Never rejects, and takes no longer than the longest of their deadlines. */
  async look(showsDetails: boolean): Promise<Record<string, ComponentHealth>> {
    const looked = await Promise.all(
      this.#checks.map(async ([name, check]) => {
        const { shown, details } = await check.look();
        return [name, showsDetails ? { ...details, ...shown } : shown];
      }),
    );
    return Object.fromEntries(looked);
  }
}

/** A check that runs once at a time, and at most once in `cacheMillis`. */
class CachedCheck {
  readonly #component: ComponentSettings;
  #latest: { readonly at: number; readonly answer: Answer } | undefined;
  #running: Promise<Answer> | undefined;
  /** What the application's function has promised and not kept. */
  #unanswered: { readonly since: number } | undefined;

  constructor(component: ComponentSettings) {
    this.#component = component;
  }

  async look(): Promise<Answer> {
    if (this.#latest && performance.now() - this.#latest.at < this.#component.cacheMillis) {
      return this.#latest.answer;
    }
    // One that hangs is not begun again: they would pile up.
    if (!this.#running && this.#unanswered) return unanswered(this.#unanswered.since);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<Answer> {
    const answer = await this.#ask();
    this.#latest = { at: performance.now(), answer };
    return answer;
  }

  async #ask(): Promise<Answer> {
    const { check, timeoutMillis, showsMessage = false } = this.#component;
    const controller = new AbortController();
    const call = { since: performance.now() };
    this.#unanswered = call;
    const asked = callCheck(check, controller.signal, showsMessage).finally(() => {
      if (this.#unanswered === call) this.#unanswered = undefined;
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Answer>((resolve) => {
      timer = setTimeout(() => {
        resolve(problem("critical", `no answer within ${timeoutMillis} ms`));
        controller.abort(new Error(`no answer within ${timeoutMillis} ms`));
      }, timeoutMillis);
      timer.unref();
    });
    try {
      return await Promise.race([asked, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Never rejects. */
async function callCheck(check: ComponentCheck, signal: AbortSignal, showsMessage: boolean): Promise<Answer> {
  try {
    return answerOf(await check(signal), showsMessage);
  } catch (error) {
    // The message may hold anything, a connection string among others.
    return problem("critical", `the check failed: ${errorCode(error) ?? errorClass(error)}`);
  }
}

function answerOf(returned: unknown, showsMessage: boolean): Answer {
  if (typeof returned === "boolean")
    return { shown: { status: returned ? "healthy" : "critical" }, details: {} };
  if (typeof returned !== "object" || returned === null || !("status" in returned)) {
    return problem("unknown", "the check returned neither a boolean nor an object with a status");
  }
  const { status, ...details } = returned as { status: unknown; message?: unknown };
  if (!STATUSES.includes(status)) {
    return problem("unknown", `the check returned a status that is none of ${STATUSES.join(", ")}`);
  }
  const message = showsMessage && typeof details.message === "string" ? { message: details.message } : {};
  return { shown: { status: status as HealthStatus, ...message }, details: serializable(details) };
}

/** What JSON cannot take (cycles, BigInt, a `toJSON` that throws) is left out: the answer matters more. */
function serializable(details: object): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(JSON.stringify(details)) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function unanswered(since: number): Answer {
  const seconds = (performance.now() - since) / 1000;
  return problem("critical", `no answer for ${seconds.toFixed(1)} s`);
}

function problem(status: HealthStatus, message: string): Answer {
  return { shown: { status, message }, details: {} };
}
