import { type Method, toHead, toParent } from "./forward.ts";
import { setShared, sharedKey } from "./shared-state.ts";

/** Where a layer stands: what is watched is what callers see, so "watch" is outside of "recycling". */
export type LayerKind = "watch" | "recycling";

interface Layer {
  readonly kind: LayerKind;
  readonly wrap: (original: Method) => Method;
}

/**
 * One overridden method of one object. Plain data: another copy of poolscope reads and changes it too, so a change of its
 * shape needs another key.
 */
interface Chain {
  /** Outermost first. */
  readonly layers: Layer[];
  /** What the object had of its own. */
  readonly own: PropertyDescriptor | undefined;
  /** The one property that all layers share. Calls `head`. */
  readonly entry: Method;
  readonly base: Method;
  head: Method;
}

const CHAINS: symbol = sharedKey("overrides/1");

/**
 * Puts a method on one object in front of the one it has or inherits. All overrides of a method share one property, in
 * which they are layers: those of kind "watch" outside of those of kind "recycling", the last one of a kind outermost.
 *
 * What an object inherits is looked up at each call, so that a prototype that is patched later, by a test or by an
 * instrumentation, is patched for this object too.
 *
 * @param wrap Called again when another layer comes or goes: what it keeps between calls has to lie outside of it
 * @returns Takes the layer away. With the last one the object is as it was; where the application has wrapped the method
 * since, its own stays in place, and what it wraps lets calls through.
 */
export function override<T extends object, K extends keyof T & string, F extends Method>(
  object: T & Record<K, F>,
  key: K,
  wrap: (original: F) => F,
  kind: LayerKind = "watch",
): () => void {
  const chain = chainOf(object, key);
  const layer: Layer = { kind, wrap: wrap as unknown as Layer["wrap"] };
  const firstOfKind = chain.layers.findIndex((other) => kind === "watch" || other.kind === kind);
  chain.layers.splice(firstOfKind < 0 ? chain.layers.length : firstOfKind, 0, layer);
  compose(chain);
  return () => {
    const at = chain.layers.indexOf(layer);
    if (at < 0) return;
    chain.layers.splice(at, 1);
    compose(chain);
    if (chain.layers.length === 0) remove(object, key, chain);
  };
}

/** Whether the method has a layer of this kind, of any copy of poolscope. */
export function hasLayer(object: object, key: string, kind: LayerKind): boolean {
  return chainsOf(object)?.[key]?.layers.some((layer) => layer.kind === kind) ?? false;
}

/** The method below all layers, of every copy of poolscope. */
export function beneathLayers<T extends object, K extends keyof T & string>(object: T, key: K): T[K] {
  return (chainsOf(object)?.[key]?.base as T[K] | undefined) ?? object[key];
}

/**
 * Whether a method that was called on `receiver` was called on `object`: on itself, through a Proxy of it, or on
 * something that inherits from it.
 */
export function isSame(receiver: unknown, object: object): boolean {
  if (receiver === object) return true;
  if (typeof receiver !== "object" || receiver === null) return false;
  try {
    const chains: unknown = Reflect.get(receiver, CHAINS);
    return chains !== undefined && chains === chainsOf(object);
  } catch {
    // A trap of a Proxy that refuses what it does not know.
    return false;
  }
}

type Chains = Record<string, Chain>;

function chainsOf(object: object): Chains | undefined {
  return Object.hasOwn(object, CHAINS) ? (Reflect.get(object, CHAINS) as Chains) : undefined;
}

function chainOf(object: object, key: string): Chain {
  let chains = chainsOf(object);
  const present = chains?.[key];
  const own = Object.getOwnPropertyDescriptor(object, key);
  if (present && (own?.value === present.entry || (own && present.layers.length > 0))) return present;
  const chain = present && present.layers.length > 0 ? present : newChain(object, key, own);
  if (!chains) {
    chains = Object.create(null) as Chains;
    setShared(object, CHAINS, chains);
  }
  chains[key] = chain;
  Object.defineProperty(object, key, {
    value: chain.entry,
    configurable: true,
    writable: true,
    enumerable: own?.enumerable ?? false,
  });
  return chain;
}

function newChain(object: object, key: string, own: PropertyDescriptor | undefined): Chain {
  const base = own ? (Reflect.get(object, key) as Method) : toParent(object, key);
  const chain: Chain & { entry: Method } = { layers: [], own, entry: base, base, head: base };
  chain.entry = toHead(chain, key);
  return chain;
}

function compose(chain: Chain): void {
  chain.head = chain.layers.reduceRight<Method>((original, { wrap }) => wrap(original), chain.base);
}

function remove(object: object, key: string, chain: Chain): void {
  // Wrapped by the application since: its method may still call the entry, and finds it by the chain.
  if (Object.getOwnPropertyDescriptor(object, key)?.value !== chain.entry) return;
  if (chain.own) Object.defineProperty(object, key, chain.own);
  else Reflect.deleteProperty(object, key);
  const chains = chainsOf(object);
  if (!chains) return;
  delete chains[key];
  if (Object.keys(chains).length === 0) Reflect.deleteProperty(object, CHAINS);
}
