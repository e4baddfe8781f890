import { diag } from "@opentelemetry/api";
import { detach } from "./detached.ts";
import { printable } from "./outside-text.ts";

/** Longer lines are cut. The longest of its own, a leak with its frames, takes less than half of it. */
const MAX_LENGTH = 4_000;

/** Where poolscope says what it sees. `console` fits, and so do pino and winston. Arguments are plain text. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** The default: OpenTelemetry's own diagnostic logger, silent until the application calls `diag.setLogger()`. */
export const diagLogger: Logger = guardLogger(diag.createComponentLogger({ namespace: "poolscope" }));

/**
 * The one place where lines are logged: each comes out clean, whatever the names and answers in it contain. A logger that
 * throws, or rejects, does not reach the application.
 */
export function guardLogger(logger: Logger): Logger {
  const guard = (level: keyof Logger) => (message: string) => detach(() => logger[level](cleanLine(message)));
  return { debug: guard("debug"), info: guard("info"), warn: guard("warn"), error: guard("error") };
}

/**
 * Without control characters, and of bounded length. A new line stays only before an indented frame of a stack: nothing
 * in a message can forge another message.
 */
function cleanLine(message: string): string {
  const cut =
    message.length > MAX_LENGTH
      ? `${message.slice(0, MAX_LENGTH)}… (${message.length - MAX_LENGTH} characters more)`
      : message;
  return cut.split(FRAME).map(printable).join("\n");
}

const FRAME = /\n(?= {2})/;
