export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface FiringAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: "pending" | "firing";
}

/** What a test asks of a Prometheus. */
export class PrometheusApi {
  readonly origin: string;

  constructor(origin: string) {
    this.origin = origin;
  }

  /** An instant vector, now. */
  async query(promql: string): Promise<Sample[]> {
    const { result } = await this.get("query", { query: promql });
    return result.map(({ metric, value }: { metric: Record<string, string>; value: [number, string] }) => ({
      metric,
      value: Number(value[1]),
    }));
  }

  async alerts(): Promise<FiringAlert[]> {
    return (await this.get("alerts")).alerts;
  }

  /** Of all series that match and were there lately. */
  async series(match: string): Promise<Record<string, string>[]> {
    return this.get("series", { "match[]": match });
  }

  // biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes
  async get(path: string, parameters: Record<string, string> = {}): Promise<any> {
    const response = await fetch(`${this.origin}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const answer = (await response.json()) as { status: string; data: unknown; error?: string };
    if (answer.status !== "success")
      throw new Error(`${path} ${JSON.stringify(parameters)}: ${answer.error}`);
    return answer.data;
  }
}
