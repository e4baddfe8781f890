import { sep } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Where the application asked for a connection. Taking it costs about as much as making an error; turning it into text,
 * which costs far more, waits until somebody reads it.
 */
export class CallSite {
  // Defined by Error.captureStackTrace, formatted by V8 at the first look.
  declare private readonly stack: string;
  #location: string | undefined;

  /** @param above The function whose callers are of interest. */
  constructor(above: (...args: never[]) => unknown) {
    Error.captureStackTrace(this, above);
  }

  /** The frames of the application, innermost first, like `at load (src/reports.ts:41:23)`. */
  get frames(): string[] {
    let text: string;
    try {
      text = this.stack;
    } catch {
      // An Error.prepareStackTrace of the application that throws is not our affair.
      return [];
    }
    if (typeof text !== "string") return [];
    return text.split("\n").slice(1).map(shorten).filter(isApplication);
  }

  /** File and line of the innermost frame of the application, like `src/reports.ts:41`. */
  get location(): string | undefined {
    this.#location ??= /([^\s()]+:\d+):\d+\)?$/.exec(this.frames[0] ?? "")?.[1];
    return this.#location;
  }
}

const here = `${process.cwd()}${sep}`;

function shorten(line: string): string {
  const frame = line.trim().replace(/file:\/\/[^\s)]+/, (url) => path(url));
  return frame.replace(here, "");
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
