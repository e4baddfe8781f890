import { EventEmitter } from "node:events";

/**
 * The other end of a `pg.Client` without a network: give it as `stream` of the client's options. It speaks as much of
 * the protocol as clients need, answers every statement at the next tick, and a text like `fail 23505` with that error.
 * What is left is what `pg` and those who watch it do, which a system call would drown.
 */
export class InstantServer extends EventEmitter {
  writable = true;
  #statement = "";
  #isParsed = false;

  connect(): this {
    process.nextTick(() => this.emit("connect"));
    return this;
  }

  write(message: Buffer, done?: () => void): boolean {
    // The start-up message alone has no type, and its length has a zero here.
    switch (String.fromCharCode(message[0] ?? 0)) {
      case "\0":
        this.#answer(WELCOME);
        break;
      case "Q":
        this.#answer(answerTo(message.toString("utf8", 5, message.length - 1), false));
        break;
      case "P":
        this.#isParsed = true;
        this.#statement = parsedText(message);
        break;
      case "S":
        this.#answer(answerTo(this.#statement, true, this.#isParsed));
        this.#isParsed = false;
        break;
    }
    if (done) process.nextTick(done);
    return true;
  }

  #answer(messages: Buffer): void {
    process.nextTick(emitData, this, messages);
  }

  end(): void {
    this.destroy();
  }

  destroy(): void {
    if (!this.writable) return;
    this.writable = false;
    process.nextTick(() => this.emit("close"));
  }

  setNoDelay(): void {}
  setKeepAlive(): void {}
  ref(): void {}
  unref(): void {}
}

function emitData(server: InstantServer, messages: Buffer): void {
  server.emit("data", messages);
}

/** `name\0text\0…`: one statement is enough for one connection. */
function parsedText(message: Buffer): string {
  const [, text = ""] = message.toString("utf8", 5).split("\0");
  return text;
}

function message(type: string, ...parts: (string | readonly number[])[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const ready = message("Z", "I");
/** One column `one` of type int4. */
const columns = message(
  "T",
  [0, 1],
  "one\0",
  [0, 0, 0, 0, 0, 0, 0, 0, 0, 23, 0, 4, 255, 255, 255, 255, 0, 0],
);
const row = message("D", [0, 1, 0, 0, 0, 1], "1");
const parsed = message("1");
const bound = message("2");
const WELCOME = Buffer.concat([message("R", [0, 0, 0, 0]), message("K", [0, 0, 0, 1, 0, 0, 0, 1]), ready]);

const answers = new Map<string, Buffer>();

function answerTo(text: string, isExtended: boolean, isFirst = false): Buffer {
  const key = `${isExtended}${isFirst}${text}`;
  const known = answers.get(key);
  if (known) return known;
  const before = isExtended ? [...(isFirst ? [parsed] : []), bound] : [];
  const answer = Buffer.concat([...before, ...outcome(text), ready]);
  answers.set(key, answer);
  return answer;
}

function outcome(text: string): Buffer[] {
  const [, code] = /^fail (\w{5})$/.exec(text) ?? [];
  if (code !== undefined) return [message("E", `SERROR\0C${code}\0Mfailed as asked\0\0`)];
  const [verb = "SELECT"] = text.split(" ");
  if (verb === "SELECT") return [columns, row, message("C", "SELECT 1\0")];
  return [message("C", verb === "INSERT" ? "INSERT 0 1\0" : `${verb} 1\0`)];
}
