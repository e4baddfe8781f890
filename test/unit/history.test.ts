import fc from "fast-check";
import { expect, test } from "vitest";
import { History } from "../../src/readings/history.ts";

const number = fc.oneof(
  fc.double({ noNaN: true }).filter((value) => !Object.is(value, -0)),
  fc.integer(),
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(2 ** 31, -(2 ** 31) - 1, 2 ** 53, Number.MAX_SAFE_INTEGER, 127, 128, -128, -129),
);
const leaf = fc.oneof(
  { weight: 8, arbitrary: number },
  fc.string(),
  fc.boolean(),
  fc.array(number, { maxLength: 3 }),
);
const key = fc.constantFrom("a", "b", "c", "d", "e");
const innermost = fc.dictionary(key, leaf);
/** What is an object once is one always, where it is there at all. */
const withObjects = (inner: fc.Arbitrary<object>) =>
  fc
    .record({ leaves: innermost, objects: fc.dictionary(fc.constantFrom("x", "y"), inner) })
    .map(({ leaves, objects }) => ({ ...leaves, ...objects }));
const sample = withObjects(withObjects(innermost));

test("whatever the samples, the last ones come back as they were, oldest first", () => {
  fc.assert(
    fc.property(
      fc.array(sample, { maxLength: 40 }),
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 10 }),
      (samples, size, limit) => {
        const history = new History<object>(size);
        for (const [index, each] of samples.entries()) {
          // Two pools with the same shape of samples: neither sees the other.
          history.add(
            new Map([
              ["orders", each],
              ["other", samples[samples.length - 1 - index] as object],
            ]),
          );
        }
        const kept = Math.min(size, limit, samples.length);
        expect(history.last("orders", limit)).toEqual(kept === 0 ? [] : samples.slice(-kept));
        expect(history.last("other", limit)).toEqual(samples.slice(0, kept).reverse());
      },
    ),
  );
});

test("a pool that is not in a round has no history any more, nor one that is forgotten", () => {
  const history = new History<object>(10);
  history.add(
    new Map([
      ["orders", { used: 1 }],
      ["reports", { used: 2 }],
    ]),
  );
  history.add(new Map([["reports", { used: 3 }]]));
  expect(history.last("orders", 10)).toEqual([]);
  expect(history.last("reports", 10)).toEqual([{ used: 2 }, { used: 3 }]);
  history.forget("reports");
  expect(history.last("reports", 10)).toEqual([]);
});

test("a hundred thousand samples take no more room than the hundred that are kept", () => {
  const history = new History<object>(100);
  for (let index = 0; index < 100_000; index++) {
    history.add(new Map([["orders", { index, share: Math.sin(index), many: index % 7 ? { index } : {} }]]));
  }
  const last = history.last("orders", 1_000) as { index: number }[];
  expect(last).toHaveLength(100);
  expect(last.map(({ index }) => index)).toEqual(Array.from({ length: 100 }, (_, index) => 99_900 + index));
});
