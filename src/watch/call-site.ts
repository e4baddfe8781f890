import { sep } from "node:path";
import { fileURLToPath } from "node:url";
import { OWN_FOLDER } from "../own-folder.ts";

/** The constructor's own frame, that of the hook that calls it, and that of the property that calls the hook. */
const OWN_FRAMES = 3;
const MAX_FRAMES = OWN_FRAMES + 5;

/**
 * Where the application asked for a connection. Made by the hook the application called. Noting the frames costs about
 * 4.3 µs, most of it by the frame: ten, V8's default, and `Error.captureStackTrace` would make it 6.4. Turning them into
 * text costs far more, and waits until somebody reads it.
 */
export class CallSite {
  readonly #error: Error;
  #location: string | undefined;

  constructor() {
    const limit = Error.stackTraceLimit;
    // Where Error is frozen, setting it this way does nothing instead of throwing.
    if (limit > MAX_FRAMES) Reflect.set(Error, "stackTraceLimit", MAX_FRAMES);
    this.#error = new Error();
    if (limit > MAX_FRAMES) Reflect.set(Error, "stackTraceLimit", limit);
  }

  /** Every frame, those of packages too. */
  #lines(): string[] {
    let text: string | undefined;
    try {
      text = this.#error.stack;
    } catch {
      // The application's Error.prepareStackTrace threw.
      return [];
    }
    if (typeof text !== "string") return [];
    return text
      .split("\n")
      .slice(1 + OWN_FRAMES)
      .map(withPath);
  }

  /** The frames of the application and of packages, with `/` in paths: what the option `longHolds` is compared with. */
  get places(): string[] {
    return this.#lines().map((frame) => frame.replace(here, "").replaceAll("\\", "/"));
  }

  /** The frames of the application, innermost first, like `at load (src/reports.ts:41:23)`. */
  get frames(): string[] {
    const frames = this.#lines().filter(isApplication);
    // A pool that is recycled too has more hooks of ours in front. In a bundle everything is in the same place.
    const others = frames.filter((frame) => !own || !frame.includes(own));
    return (others.length > 0 ? others : frames).map((frame) => frame.replace(here, ""));
  }

  /** File and line of the innermost frame of the application, like `src/reports.ts:41`. */
  get location(): string | undefined {
    this.#location ??= /([^\s()]+:\d+):\d+\)?$/.exec(this.frames[0] ?? "")?.[1];
    return this.#location;
  }
}

const here = workingFolder();
const own = OWN_FOLDER && path(OWN_FOLDER);

function workingFolder(): string {
  try {
    return `${process.cwd()}${sep}`;
  } catch {
    // The folder is gone: places are told by their whole path.
    return "";
  }
}

function withPath(line: string): string {
  return line.trim().replace(/file:\/\/[^\s)]+/, (url) => path(url));
}

function path(url: string): string {
  const [, file = url, position = ""] = /^(.*?)((?::\d+)*)$/.exec(url) ?? [];
  try {
    return fileURLToPath(file) + position;
  } catch {
    return url;
  }
}

function isApplication(frame: string): boolean {
  return (
    frame.startsWith("at ") && !/node_modules[\\/]|\(?node:|<anonymous>\)?$|[\\/]pg-pool[\\/]/.test(frame)
  );
}
