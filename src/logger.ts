import { diag } from "@opentelemetry/api";
import { detach } from "./detached.ts";

/** Where poolscope says what it sees. `console` fits, and so do pino and winston. Arguments are plain text. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** The default: OpenTelemetry's own diagnostic logger, silent until the application calls `diag.setLogger()`. */
export const diagLogger: Logger = diag.createComponentLogger({ namespace: "poolscope" });

/** A logger that throws, or rejects, must not reach the application through poolscope. */
export function guardLogger(logger: Logger): Logger {
  const guard = (level: keyof Logger) => (message: string) => detach(() => logger[level](message));
  return { debug: guard("debug"), info: guard("info"), warn: guard("warn"), error: guard("error") };
}
