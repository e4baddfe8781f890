import type { IncomingMessage, ServerResponse } from "node:http";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import type { HttpHandler, Poolscope } from "../../src/index.ts";

/** One scrape of `scope.metrics()`. */
export async function scrape(scope: Poolscope): Promise<Exported> {
  const { status, body } = await call(scope.metrics());
  if (status !== 200) throw new Error(`the scrape answered ${status}: ${body}`);
  return new Exported(body);
}

/** Calls a handler as a server would, without one. */
export async function call(
  handler: HttpHandler,
  method = "GET",
): Promise<{ status: number; headers: Record<string, unknown>; body: string }> {
  const { response, headers } = answered(handler, method);
  const body = await text(response);
  return { status: response.statusCode, headers, body };
}

/** The same, with the body still to be read. */
export function answered(
  handler: HttpHandler,
  method = "GET",
): { response: PassThrough & { statusCode: number }; headers: Record<string, unknown> } {
  const headers: Record<string, unknown> = {};
  const response = Object.assign(new PassThrough(), {
    statusCode: 200,
    setHeader: (name: string, value: unknown) => {
      headers[name.toLowerCase()] = value;
    },
  });
  handler({ method, url: "/" } as IncomingMessage, response as unknown as ServerResponse);
  return { response, headers };
}

/** Prometheus text, by series. */
export class Exported {
  readonly text: string;
  /** Every series, with its value. */
  readonly all: { name: string; labels: Record<string, string>; value: number }[] = [];

  constructor(text: string) {
    this.text = text;
    for (const line of text.split("\n")) {
      const match = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (!match || line.startsWith("#")) continue;
      const [, name = "", labels = "", value = ""] = match;
      this.all.push({
        name,
        labels: Object.fromEntries(
          [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text]),
        ),
        value: value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value),
      });
    }
  }

  /** The sum of the pool's series of this name that have these labels; undefined when there is none. */
  value(pool: string, name: string, labels: Record<string, string> = {}): number | undefined {
    const found = this.all.filter(
      (series) =>
        series.name === name &&
        series.labels["db_client_connection_pool_name"] === pool &&
        Object.entries(labels).every(([key, value]) => series.labels[key] === value),
    );
    return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
  }

  /** Queries of all pools by verb and `error.type`: what `tally()` makes of the truth. */
  queries(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { name, labels, value } of this.all) {
      if (name !== "db_client_operation_duration_seconds_count") continue;
      const key = `${labels["db_operation_name"] ?? "none"} ${labels["error_type"] ?? "ok"}`;
      counts[key] = (counts[key] ?? 0) + value;
    }
    return counts;
  }

  /** Every series once, as `name{labels}`. */
  get series(): string[] {
    return this.text
      .split("\n")
      .filter((line) => line && !line.startsWith("#"))
      .map((line) => line.replace(/ \S+$/, ""));
  }
}
