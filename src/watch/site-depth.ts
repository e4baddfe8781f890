import { isLibrary, isOwn, pathOf } from "./stack-frames.ts";

/** Frames that a place has beside those of libraries. */
const FRAMES = 5;
/** As many as a query builder with its driver, and a framework around it, put in front of the application. */
export const DEEPEST = 25;
const EVERY_MILLIS = 100;
/** Two of this file, and those between the application and them: budget, pool, hook, property. */
const OWN_FRAMES = 6;

/**
 * How many frames the places of one pool take. The application's frame is the first where it uses pg itself, and the sixth
 * to the tenth below a query builder; each frame that is captured costs 0.5 µs. So one checkout in {@link EVERY_MILLIS} is
 * captured in full and looked through, and those between as deep as the deepest of these.
 */
export class SiteDepth {
  /** The most frames of libraries in front of one of the application. */
  #libraries: number | undefined;
  #inspectedAt = Number.NEGATIVE_INFINITY;

  /** Of the checkout that begins now. */
  take(at: number): number {
    // Positions in a bundle do not tell libraries from the application, and their mapping is too slow for here.
    if (process.sourceMapsEnabled) return DEEPEST;
    if (at - this.#inspectedAt >= EVERY_MILLIS) {
      this.#inspectedAt = at;
      const libraries = librariesInFront();
      if (libraries !== undefined) this.#libraries = Math.max(this.#libraries ?? 0, libraries);
      return DEEPEST;
    }
    return this.#libraries === undefined ? DEEPEST : Math.min(DEEPEST, this.#libraries + FRAMES);
  }
}

/** Undefined where no frame is the application's. */
function librariesInFront(): number | undefined {
  const files = filesOfStack();
  if (!files) return undefined;
  const isTheirs = (file: string) => file !== "" && !isLibrary(file);
  const own = files[0];
  const callers = files.slice(OWN_FRAMES);
  const first = callers.findIndex((file) => isTheirs(file) && file !== own && !isOwn(file));
  // In a bundle everything is in one file.
  const found = first >= 0 ? first : callers.findIndex(isTheirs);
  return found >= 0 ? found : undefined;
}

/** The file of each frame, "" where it has none; undefined where Error cannot be configured. */
function filesOfStack(): string[] | undefined {
  const before = Object.getOwnPropertyDescriptor(Error, "prepareStackTrace");
  const limit = Error.stackTraceLimit;
  if (!(limit > 0) || (before && !before.writable)) return undefined;
  let files: string[] | undefined;
  try {
    Reflect.set(Error, "stackTraceLimit", OWN_FRAMES + 1 + DEEPEST);
    // Plain assignments: definitions would change the shape of Error, and code that V8 compiled for it.
    Reflect.set(Error, "prepareStackTrace", (_: Error, frames: readonly NodeJS.CallSite[]) => {
      files = frames.slice(1).map((frame) => pathOf(frame.getFileName() ?? ""));
      return "";
    });
    // Reading it formats it.
    void new Error().stack;
  } finally {
    if (before) Reflect.set(Error, "prepareStackTrace", before.value);
    else Reflect.deleteProperty(Error, "prepareStackTrace");
    Reflect.set(Error, "stackTraceLimit", limit);
  }
  return files;
}
