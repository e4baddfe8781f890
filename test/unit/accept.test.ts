import fc from "fast-check";
import Negotiator from "negotiator";
import { expect, test } from "vitest";
import { preferredType } from "../../src/http/accept.ts";

const TYPES = ["application/json", "application/health+json"] as const;

function prefer(accept: string | undefined): string | undefined {
  return preferredType(accept, TYPES);
}

test.each([
  [undefined, "application/json"],
  ["*/*", "application/json"],
  ["application/*", "application/json"],
  ["application/json", "application/json"],
  ["application/health+json", "application/health+json"],
  ["APPLICATION/Health+JSON", "application/health+json"],
  ["application/json;q=0.5, application/health+json", "application/health+json"],
  ["application/json;q=0.1, */*", "application/health+json"],
  ["application/*;q=0.2, application/health+json;q=0.1", "application/json"],
  ["application/json;q=0, application/*", "application/health+json"],
  ["text/*, application/health+json;q=0.1", "application/health+json"],
  ["application/json;charset=utf-8, application/health+json;q=0.1", "application/health+json"],
  ['text/plain;note="a, application/json", application/health+json', "application/health+json"],
  ["text/*", undefined],
  ["*/*;q=0", undefined],
  ["application/json;q=much", undefined],
  [";;;===", undefined],
  ["", undefined],
])("Accept: %s prefers %s", (accept, type) => {
  expect(prefer(accept)).toBe(type);
});

test("a short Accept header is understood as negotiator understands it", () => {
  const range = fc.constantFrom(...TYPES, "application/*", "*/*", "text/*", "text/html", "Application/JSON");
  const quality = fc.oneof(
    fc.constant(""),
    fc.constantFrom(
      ";q=0",
      ";q=1",
      "; q=0.5",
      ";Q=0.5",
      " ; q=0.001",
      ";q=0.9",
      ";level=1",
      ";level=1;q=0.3",
    ),
    fc.integer({ min: 0, max: 1_000 }).map((thousandths) => `;q=${(thousandths / 1_000).toFixed(3)}`),
  );
  const entry = fc.tuple(range, quality).map((parts) => parts.join(""));
  const header = fc.tuple(fc.array(entry, { maxLength: 12 }), fc.constantFrom(",", ", ", " , "));
  fc.assert(
    fc.property(header, ([entries, comma]) => {
      const accept = entries.join(comma);
      const negotiator = new Negotiator({ headers: { accept } });
      expect(prefer(accept)).toBe(negotiator.mediaType([...TYPES]));
    }),
    { numRuns: 20_000 },
  );
});

test("a long Accept header is looked at for 20 ranges and 1,024 characters, and no further", () => {
  const health = "application/health+json";
  expect(prefer(`${"text/html,".repeat(19)}${health}`)).toBe(health);
  expect(prefer(`${"text/html,".repeat(20)}${health}`)).toBeUndefined();
  expect(prefer(`${"x".repeat(1_010)},${health}`)).toBeUndefined();
  // Cut in the middle it would be another type.
  expect(prefer(`${"x".repeat(1_024 - 17)},application/json-seq`)).toBeUndefined();
});

test("an Accept header of 16 kB costs no more than twenty ranges do", () => {
  const cost = (accept: string) => {
    const times = Array.from({ length: 50 }, () => {
      const began = process.hrtime.bigint();
      for (let time = 0; time < 100; time++) prefer(accept);
      return Number(process.hrtime.bigint() - began);
    });
    return Math.min(...times);
  };
  const short = "application/json,".repeat(20);
  cost(short);
  expect(cost("*/*,".repeat(4_000))).toBeLessThan(20 * cost(short));
});
