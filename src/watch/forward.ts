// biome-ignore-all lint/complexity/noArguments: only their number; an array of them would be garbage of every call

// biome-ignore lint/suspicious/noExplicitAny: a method of any signature
export type Method = (...args: any[]) => unknown;
type Parent = Readonly<Record<string, Method>>;
/** Calls whatever stands at one place at that moment, with as many arguments as it was called with. */
type Forward<Place> = (place: Place) => Method;
interface Head {
  readonly head: Method;
}

/**
 * The methods that a checkout comes through, spelt out one by one: a function that serves several of them calls so many
 * targets that V8 does not inline it, and costs a checkout 0.3 µs.
 */
const TO_HEAD: Readonly<Record<string, Forward<Head>>> = {
  connect: (chain) =>
    function connect(this: unknown, callback?: unknown) {
      return arguments.length === 0 ? chain.head.call(this) : chain.head.call(this, callback);
    },
  query: (chain) =>
    function query(this: unknown, text?: unknown, values?: unknown, callback?: unknown) {
      if (arguments.length === 1) return chain.head.call(this, text);
      if (arguments.length === 2) return chain.head.call(this, text, values);
      return chain.head.call(this, text, values, callback);
    },
  _release: (chain) =>
    function _release(this: unknown, client?: unknown, idleListener?: unknown, error?: unknown) {
      return chain.head.call(this, client, idleListener, error);
    },
};

const TO_PARENT: Readonly<Record<string, Forward<Parent>>> = {
  connect: (parent) =>
    function connect(this: unknown, callback?: unknown) {
      const method = parent["connect"] as Method;
      return arguments.length === 0 ? method.call(this) : method.call(this, callback);
    },
  query: (parent) =>
    function query(this: unknown, text?: unknown, values?: unknown, callback?: unknown) {
      const method = parent["query"] as Method;
      if (arguments.length === 1) return method.call(this, text);
      if (arguments.length === 2) return method.call(this, text, values);
      return method.call(this, text, values, callback);
    },
  _release: (parent) =>
    function _release(this: unknown, client?: unknown, idleListener?: unknown, error?: unknown) {
      return (parent["_release"] as Method).call(this, client, idleListener, error);
    },
};

export function toHead(chain: Head, key: string): Method {
  return TO_HEAD[key]?.(chain) ?? named(key, () => chain.head);
}

/** What `object` inherits under this name. */
export function toParent(object: object, key: string): Method {
  return (
    TO_PARENT[key]?.(Object.getPrototypeOf(object)) ?? named(key, () => Object.getPrototypeOf(object)[key])
  );
}

/** Any other method. Named as it is: it stands in the application's stacks. */
function named(key: string, target: () => Method): Method {
  const { [key]: forward } = {
    [key](this: unknown, ...args: unknown[]): unknown {
      return Reflect.apply(target(), this, args);
    },
  };
  return forward as Method;
}
