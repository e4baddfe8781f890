/**
 * Puts a method on one object in front of the one it has or inherits, and returns how to take it away again. When
 * somebody else has wrapped the method since, theirs is left in place.
 */
// biome-ignore lint/suspicious/noExplicitAny: a method of any signature, replaced by one of the same signature
export function override<T extends object, K extends keyof T & string, F extends (...args: any[]) => unknown>(
  object: T & Record<K, F>,
  key: K,
  wrap: (original: F) => F,
): () => void {
  const own = Object.getOwnPropertyDescriptor(object, key);
  const method = wrap(object[key]);
  Object.defineProperty(object, key, {
    value: method,
    configurable: true,
    writable: true,
    enumerable: own?.enumerable ?? false,
  });
  return () => {
    if (object[key] !== method) return;
    if (own) Object.defineProperty(object, key, own);
    else Reflect.deleteProperty(object, key);
  };
}
