import { diag } from "@opentelemetry/api";
import { detach } from "./detached.ts";
import { printable } from "./outside-text.ts";

/** Longer lines are cut. The longest of its own, a leak with its frames, takes less than half of it. */
const MAX_LENGTH = 4_000;

/** Where poolscope logs. `console` fits, and so do pino and winston. Arguments are plain text. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

export const LEVELS: readonly (keyof Logger)[] = ["debug", "info", "warn", "error"];

const diagnostics = diag.createComponentLogger({ namespace: "poolscope" });

/**
 * The default. Warnings and errors go to the console, one line each: an exhausted pool or an export that fails has to be
 * visible without any set-up. The rest goes to OpenTelemetry's `diag`, silent until the application sets a logger there.
 */
export const defaultLogger: Logger = guardLogger({
  debug: (message) => diagnostics.debug(message),
  info: (message) => diagnostics.info(message),
  // biome-ignore lint/suspicious/noConsole: the default logger.
  warn: (message) => console.warn(consoleLine(message)),
  // biome-ignore lint/suspicious/noConsole: the default logger.
  error: (message) => console.error(consoleLine(message)),
});

/** For `logger: false`. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

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

/** Names its origin, as a console has lines of many; the frames of a stack stand behind each other. */
function consoleLine(message: string): string {
  const line = message.replace(/\n +/g, " | ");
  return line.startsWith("poolscope") ? line : `poolscope: ${line}`;
}
