import { expect, test } from "vitest";
import { hasLayer, isSame, type LayerKind, override } from "../../src/watch/override.ts";

class Greeter {
  greet(name: string): string {
    return `hello ${name}`;
  }
}

type Greet = Greeter["greet"];

/** A layer that marks what passes it. */
function mark(letter: string): (original: Greet) => Greet {
  return (original) =>
    function greet(this: Greeter, name) {
      return `${letter}(${original.call(this, name)})`;
    };
}

function layer(greeter: Greeter, letter: string, kind: LayerKind): () => void {
  return override(greeter, "greet", mark(letter), kind);
}

test.each([
  ["watch first", ["watch", "recycling"]],
  ["recycling first", ["recycling", "watch"]],
] as const)("a watch stands outside of recycling: %s", (_, kinds) => {
  const greeter = new Greeter();
  for (const kind of kinds) layer(greeter, kind, kind);
  expect(greeter.greet("you")).toBe("watch(recycling(hello you))");
});

test("the last layer of a kind is outermost", () => {
  const greeter = new Greeter();
  for (const [letter, kind] of [
    ["r1", "recycling"],
    ["w1", "watch"],
    ["r2", "recycling"],
    ["w2", "watch"],
  ] as const)
    layer(greeter, letter, kind);
  expect(greeter.greet("you")).toBe("w2(w1(r2(r1(hello you))))");
});

test("layers share one property, and leave the object as it was in whatever order they go", () => {
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 0, 2],
  ]) {
    const greeter = new Greeter();
    const remove = [
      layer(greeter, "a", "watch"),
      layer(greeter, "b", "recycling"),
      layer(greeter, "c", "watch"),
    ];
    const property = greeter.greet;
    for (const index of order) {
      expect(greeter.greet).toBe(property);
      remove[index]?.();
      remove[index]?.();
    }
    expect(Reflect.ownKeys(greeter)).toEqual([]);
    expect(greeter.greet("you")).toBe("hello you");
  }
});

test("nothing that is enumerable is added to the object", () => {
  const greeter = new Greeter();
  layer(greeter, "a", "watch");
  expect(Object.keys(greeter)).toEqual([]);
  expect({ ...greeter }).toEqual({});
});

test("a method of the object's own is put back with its descriptor", () => {
  const greeter = new Greeter();
  greeter.greet = (name) => `own ${name}`;
  const before = Object.getOwnPropertyDescriptors(greeter);
  const remove = layer(greeter, "a", "watch");
  expect(greeter.greet("you")).toBe("a(own you)");
  expect(Object.keys(greeter)).toEqual(["greet"]);
  remove();
  expect(Object.getOwnPropertyDescriptors(greeter)).toEqual(before);
});

test("a prototype that is patched, and restored, after the layer came is followed", () => {
  class Patched extends Greeter {}
  const greeter = new Patched();
  const remove = layer(greeter, "a", "watch");
  Patched.prototype.greet = (name) => `patched ${name}`;
  expect(greeter.greet("you")).toBe("a(patched you)");
  Reflect.deleteProperty(Patched.prototype, "greet");
  expect(greeter.greet("you")).toBe("a(hello you)");
  remove();
});

test("a method the application has wrapped since stays, and lets calls through when the layers are gone", () => {
  const greeter = new Greeter();
  const remove = [layer(greeter, "a", "watch"), layer(greeter, "b", "recycling")];
  const { greet } = greeter;
  const wrapped: Greet = function (this: Greeter, name) {
    return `app(${greet.call(this, name)})`;
  };
  greeter.greet = wrapped;
  expect(greeter.greet("you")).toBe("app(a(b(hello you)))");
  for (const step of remove) step();
  expect(greeter.greet).toBe(wrapped);
  expect(greeter.greet("you")).toBe("app(hello you)");
});

test("a layer that comes after the application has wrapped the method keeps its place among the layers", () => {
  const greeter = new Greeter();
  layer(greeter, "w", "watch");
  const { greet } = greeter;
  greeter.greet = function (this: Greeter, name) {
    return `app(${greet.call(this, name)})`;
  };
  layer(greeter, "r", "recycling");
  expect(greeter.greet("you")).toBe("app(w(r(hello you)))");
});

test("a layer stands in front of the application's method where no other layer is left", () => {
  const greeter = new Greeter();
  const remove = layer(greeter, "a", "watch");
  greeter.greet = (name) => `app ${name}`;
  remove();
  const removeNext = layer(greeter, "b", "watch");
  expect(greeter.greet("you")).toBe("b(app you)");
  removeNext();
  expect(greeter.greet("you")).toBe("app you");
});

test("a layer works again where the application has deleted the property", () => {
  const greeter = new Greeter();
  const remove = layer(greeter, "a", "watch");
  Reflect.deleteProperty(greeter, "greet");
  expect(greeter.greet("you")).toBe("hello you");
  const removeNext = layer(greeter, "b", "watch");
  expect(greeter.greet("you")).toBe("b(a(hello you))");
  remove();
  removeNext();
  expect(Reflect.ownKeys(greeter)).toEqual([]);
});

test("a layer may take itself away while it is called", () => {
  const greeter = new Greeter();
  const once = override(greeter, "greet", (original) => {
    return function greet(this: Greeter, name) {
      once();
      return `once(${original.call(this, name)})`;
    };
  });
  layer(greeter, "a", "watch");
  expect(greeter.greet("you")).toBe("a(once(hello you))");
  expect(greeter.greet("you")).toBe("a(hello you)");
});

test("a Proxy of the object and what inherits from it are the object, another one is not", () => {
  const greeter = new Greeter();
  const other = new Greeter();
  layer(greeter, "a", "watch");
  layer(other, "a", "watch");
  expect(isSame(greeter, greeter)).toBe(true);
  expect(isSame(new Proxy(greeter, {}), greeter)).toBe(true);
  expect(isSame(Object.create(greeter), greeter)).toBe(true);
  expect(isSame(other, greeter)).toBe(false);
  expect(isSame(undefined, greeter)).toBe(false);
  const refusing = new Proxy(greeter, {
    get() {
      throw new Error("unknown");
    },
  });
  expect(isSame(refusing, greeter)).toBe(false);
});

test("layers are found by their kind", () => {
  const greeter = new Greeter();
  expect(hasLayer(greeter, "greet", "watch")).toBe(false);
  const remove = layer(greeter, "a", "watch");
  expect(hasLayer(greeter, "greet", "watch")).toBe(true);
  expect(hasLayer(greeter, "greet", "recycling")).toBe(false);
  remove();
  expect(hasLayer(greeter, "greet", "watch")).toBe(false);
});

test("two copies of the module share the property and the order of layers", async () => {
  // @ts-expect-error A second copy, as of another version in the same process
  const copy: typeof import("../../src/watch/override.ts") = await import("../../src/watch/override.ts?copy");
  expect(copy.override).not.toBe(override);
  const greeter = new Greeter();
  const remove = layer(greeter, "watch", "watch");
  const property = greeter.greet;
  const removeCopied = copy.override(greeter, "greet", mark("recycling"), "recycling");
  expect(greeter.greet).toBe(property);
  expect(greeter.greet("you")).toBe("watch(recycling(hello you))");
  expect(copy.isSame(new Proxy(greeter, {}), greeter)).toBe(true);
  remove();
  expect(greeter.greet("you")).toBe("recycling(hello you)");
  removeCopied();
  expect(Reflect.ownKeys(greeter)).toEqual([]);
});
