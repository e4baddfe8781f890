import type { CallerPlan, Plan, Step } from "./plan.ts";

/** A plan in lines that can be read. */
export function describe({ pool, recycle, watch, faults, steps }: Plan): string[] {
  return [
    `pool: ${pairs(pool)}`,
    `recycle: ${pairs(recycle)}`,
    `watch: ${watch}; mistakes: ${faults.map(({ fault, after, times }) => `${fault} ${times} times after ${after}`).join(", ") || "none"}`,
    ...steps.map((step, index) => `${index}. ${line(step)}`),
  ];
}

function line(step: Step): string {
  if (step.do === "burst") return `callers: ${step.callers.map(caller).join(", ")}`;
  const { do: what, ...rest } = step;
  return `${what} ${Object.values(rest).join(" ")}`.trimEnd();
}

function caller({ by, use, holdMillis }: CallerPlan): string {
  const how = `${by}${use === "select" ? "" : ` (${use})`}`;
  return by.startsWith("query") || holdMillis === 0 ? how : `${how} for ${holdMillis} ms`;
}

function pairs(options: object): string {
  return Object.entries(options)
    .map(([key, value]) => `${key} ${value}`)
    .join(", ");
}
