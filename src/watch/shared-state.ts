/**
 * State that every copy of poolscope in a process has to see (a monorepo with two versions, CommonJS beside ESM, a module
 * evaluated again by hot reload) is kept on the pool or client it describes, under a key of the global symbol registry.
 * Not enumerable, so that it is not printed, copied or compared.
 *
 * @param name With a number for the shape of the state: copies that disagree on it must not meet
 */
export function sharedKey(name: string): symbol {
  return Symbol.for(`poolscope.${name}`);
}

/** What `object` itself, and not what it inherits from, has under `key`; made and kept when it has nothing yet. */
export function sharedState<T>(object: object, key: symbol, make: () => T): T {
  if (Object.hasOwn(object, key)) return Reflect.get(object, key) as T;
  const state = make();
  setShared(object, key, state);
  return state;
}

export function setShared(object: object, key: symbol, value: unknown): void {
  Reflect.defineProperty(object, key, { value, configurable: true, enumerable: false, writable: true });
}
