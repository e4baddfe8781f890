import { DEEPEST } from "./site-depth.ts";
import { type Frame, fileOf, framesOf, isLibrary, isOwn, shortened } from "./stack-frames.ts";

/** The constructor's own frame, that of the hook that calls it, and that of the property that calls the hook. */
const OWN_FRAMES = 3;

/**
 * Place where the application asked for a connection. Made by the hook that the application called. Capturing costs about
 * 4.3 µs with five frames, most of it by the frame; `Error.captureStackTrace` would make it 6.4. Formatting costs far more,
 * and happens when the place is read first.
 */
export class CallSite {
  readonly #depth: number;
  readonly #error: Error;
  #all: readonly Frame[] | undefined;
  #application: readonly Frame[] | undefined;

  constructor(depth: number = DEEPEST) {
    this.#depth = depth;
    const limit = Error.stackTraceLimit;
    const needed = OWN_FRAMES + depth;
    // Where Error is frozen, setting it this way does nothing instead of throwing.
    if (limit !== needed && limit > 0) Reflect.set(Error, "stackTraceLimit", needed);
    this.#error = new Error();
    if (limit !== needed && limit > 0) Reflect.set(Error, "stackTraceLimit", limit);
  }

  /** The frames of the application and of packages, with `/` in paths: what the option `longHolds` is compared with. */
  get places(): string[] {
    return this.#frames().map(({ text }) => shortened(text).replaceAll("\\", "/"));
  }

  /** The frames of the application, innermost first, like `at load (src/reports.ts:41:23)`. */
  get frames(): string[] {
    return this.#ofApplication().map(({ text }) => shortened(text));
  }

  /** Position of the innermost frame of the application, like `src/reports.ts:41:23`. */
  get location(): string | undefined {
    const place = this.#ofApplication()[0]?.place;
    return place && shortened(place);
  }

  /** Whether capturing more frames could not have found the application. */
  get isConclusive(): boolean {
    return this.#depth >= DEEPEST || this.location !== undefined;
  }

  #frames(): readonly Frame[] {
    this.#all ??= framesOf(stackOf(this.#error)).slice(OWN_FRAMES);
    return this.#all;
  }

  #ofApplication(): readonly Frame[] {
    this.#application ??= ofApplication(this.#frames());
    return this.#application;
  }
}

function ofApplication(frames: readonly Frame[]): Frame[] {
  const theirs = frames.filter(({ place }) => place !== undefined && !isLibrary(fileOf(place)));
  // A pool that is recycled too has more of poolscope's hooks in front. In a bundle everything is in one folder.
  const others = theirs.filter(({ place = "" }) => !isOwn(place));
  return others.length > 0 ? others : theirs;
}

/**
 * The text of a stack. Where Node applies source maps, Node formats it: a hook of the application in
 * `Error.prepareStackTrace` would show positions in the bundle.
 */
function stackOf(error: Error): string {
  const hook = process.sourceMapsEnabled && Object.getOwnPropertyDescriptor(Error, "prepareStackTrace");
  const isSetAside = hook && hook.value !== undefined && hook.configurable === true && hook.writable === true;
  try {
    if (isSetAside) Reflect.set(Error, "prepareStackTrace", undefined);
    return typeof error.stack === "string" ? error.stack : "";
  } catch {
    // The application's Error.prepareStackTrace threw.
    return "";
  } finally {
    if (isSetAside) Reflect.defineProperty(Error, "prepareStackTrace", hook);
  }
}
