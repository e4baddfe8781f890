import {
  type DynamicConfigValue,
  MappingType,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
} from "@grafana/grafana-foundation-sdk/dashboard";

/** From this value on, in this colour. */
export type Step = readonly [from: number, color: "yellow" | "orange" | "red" | "blue"];

/** Numbers that are neither good nor bad. */
export const NEUTRAL: readonly Step[] = [[Number.NEGATIVE_INFINITY, "blue"]];
/** As the health router judges: `warning` from 75 %, `critical` from 90 %. */
export const UTILIZATION: readonly Step[] = [
  [0.75, "yellow"],
  [0.9, "red"],
];
/** One is too many. */
export const NONE: readonly Step[] = [[1e-9, "red"]];
export const WAITING: readonly Step[] = [
  [1, "yellow"],
  [5, "red"],
];
export const WAIT_SECONDS: readonly Step[] = [
  [0.1, "yellow"],
  [0.5, "red"],
];
export const QUERY_SECONDS: readonly Step[] = [
  [0.5, "yellow"],
  [1, "red"],
];
export const ERROR_RATIO: readonly Step[] = [
  [0.01, "yellow"],
  [0.05, "red"],
];
/** Seconds in which nothing moved; a pool is stuck from `stuckAfterMillis` on, 5 s by default. */
export const STALLED_SECONDS: readonly Step[] = [
  [1, "yellow"],
  [5, "red"],
];

export function thresholds(steps: readonly Step[]): ThresholdsConfigBuilder {
  const [first] = steps;
  const base = first && first[0] === Number.NEGATIVE_INFINITY ? first[1] : "green";
  const rest = steps.filter(([from]) => from !== Number.NEGATIVE_INFINITY);
  return new ThresholdsConfigBuilder()
    .mode(ThresholdsMode.Absolute)
    .steps([{ value: null, color: base }, ...rest.map(([value, color]) => ({ value, color }))]);
}

/** The numbers are those of `state()`. */
export const STATES: ValueMapping[] = [
  {
    type: MappingType.ValueToText,
    options: {
      "0": { text: "healthy", color: "green", index: 0 },
      "1": { text: "busy", color: "yellow", index: 1 },
      "2": { text: "callers wait", color: "orange", index: 2 },
      "3": { text: "connects fail", color: "red", index: 3 },
      "4": { text: "stuck", color: "dark-red", index: 4 },
    },
  },
];

export function dashedLine(): DynamicConfigValue[] {
  return [
    { id: "custom.stacking", value: { mode: "none" } },
    { id: "custom.lineStyle", value: { fill: "dash", dash: [10, 10] } },
    { id: "custom.fillOpacity", value: 0 },
    { id: "color", value: { mode: "fixed", fixedColor: "red" } },
  ];
}
