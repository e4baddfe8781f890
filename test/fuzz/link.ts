import { once } from "node:events";
import { type AddressInfo, createServer, type Server, Socket } from "node:net";
import type { LinkMode, Residue, Standing } from "./plan.ts";

const CLOSED_PORT = 1;
const DIAL_ERRORS: ReadonlySet<string> = new Set([
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "ENOTFOUND",
  "ENOENT",
]);
const REFUSALS: Readonly<Record<string, string>> = {
  "53300": "sorry, too many clients already",
  "57P03": "the database system is starting up",
};

/** A link to the server that breaks in the ways links and servers break. */
export class Link {
  readonly #targetPort: number;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #mode: LinkMode = "pass";
  #delayMillis = 0;

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  static async open(targetPort: number): Promise<Link> {
    const link = new Link(targetPort);
    link.#server.listen(0, "127.0.0.1");
    await once(link.#server, "listening");
    return link;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections whose client has not closed its socket. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Connections on which nothing will ever pass again. */
  get silentConnections(): number {
    return [...this.#pairs].filter((pair) => pair.isSilent).length;
  }

  get isWell(): boolean {
    return this.#mode === "pass" && this.silentConnections === 0;
  }

  /** For the option `stream`: a socket that dials as the link is at the moment of `connect`. */
  socket(): Socket {
    const socket = new Socket();
    const connect = socket.connect.bind(socket) as (port: number, host: string) => Socket;
    const dial = (port: number, host: string): Socket => {
      if (!DIAL_ERRORS.has(this.#mode)) return connect(this.#mode === "refused" ? CLOSED_PORT : port, host);
      const code = this.#mode;
      setImmediate(() => socket.destroy(Object.assign(new Error(`connect ${code} ${host}`), { code })));
      return socket;
    };
    return Object.assign(socket, { connect: dial });
  }

  change(mode: LinkMode, standing: Standing, delayMillis: number): void {
    this.#mode = mode;
    this.#delayMillis = mode === "slow" ? delayMillis : 0;
    for (const pair of [...this.#pairs]) {
      if (mode === "blackhole") pair.swallow();
      else if (mode === "paused" || standing === "frozen") pair.hold();
      else if (standing === "reset") pair.reset();
      else if (standing === "half-closed") pair.halfClose();
    }
  }

  heal(residue: Residue): void {
    this.#mode = "pass";
    this.#delayMillis = 0;
    for (const pair of [...this.#pairs]) {
      if (!pair.isSilent) continue;
      if (residue === "thawed" && pair.canThaw) pair.thaw();
      else if (residue !== "left") pair.reset();
    }
  }

  async close(): Promise<void> {
    for (const pair of [...this.#pairs]) pair.reset();
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(client: Socket): void {
    const pair = new Pair(client, this.#targetPort, this.#delayMillis);
    this.#pairs.add(pair);
    client.on("close", () => this.#pairs.delete(pair));
    const refusal = REFUSALS[this.#mode];
    if (this.#mode === "silent" || this.#mode === "paused") pair.hold();
    if (this.#mode === "reset-accept") pair.reset();
    else if (refusal !== undefined) pair.refuse(errorPacket(this.#mode, refusal));
    else pair.forward(this.#mode === "reset-handshake");
  }
}

/** A connection of a client and the one to the server behind it. */
class Pair {
  readonly #client: Socket;
  readonly #upstream = new Socket({ allowHalfOpen: true });
  readonly #targetPort: number;
  readonly #delayMillis: number;
  #state: "open" | "held" | "swallowed" = "open";
  #held: (() => void)[] = [];
  #isCutAtFirstAnswer = false;

  constructor(client: Socket, targetPort: number, delayMillis: number) {
    this.#client = client;
    this.#targetPort = targetPort;
    this.#delayMillis = delayMillis;
    for (const socket of [client, this.#upstream]) {
      socket.setNoDelay(true);
      socket.on("error", () => {}); // "close" follows.
    }
    client.on("close", () => this.#upstream.destroy());
  }

  get isSilent(): boolean {
    return this.#state !== "open";
  }

  get canThaw(): boolean {
    return this.#state === "held";
  }

  forward(isCutAtFirstAnswer: boolean): void {
    this.#isCutAtFirstAnswer = isCutAtFirstAnswer;
    this.#pass(() => this.#upstream.connect(this.#targetPort, "127.0.0.1"));
    this.#relay(this.#client, this.#upstream);
    this.#relay(this.#upstream, this.#client);
    this.#upstream.on("close", () => this.#pass(() => this.#client.destroySoon()));
  }

  /** The server's answer to a startup packet, whatever is in it. */
  refuse(answer: Buffer): void {
    this.#client.once("data", () => this.#client.end(answer));
    this.#client.on("end", () => this.#client.end());
  }

  hold(): void {
    if (this.#state === "open") this.#state = "held";
  }

  swallow(): void {
    this.#state = "swallowed";
    this.#held = [];
  }

  thaw(): void {
    this.#state = "open";
    for (const deliver of this.#held.splice(0)) deliver();
  }

  reset(): void {
    this.#state = "swallowed";
    // A socket whose end has been sent cannot be reset any more: it would never close.
    if (this.#client.writableEnded) this.#client.destroy();
    else this.#client.resetAndDestroy();
    this.#upstream.destroy();
  }

  halfClose(): void {
    this.#client.end();
    this.#upstream.destroy();
  }

  #relay(from: Socket, to: Socket): void {
    from.on("data", (chunk) => {
      if (from === this.#upstream && this.#isCutAtFirstAnswer) this.reset();
      else this.#pass(() => to.writable && to.write(chunk));
    });
    from.on("end", () => this.#pass(() => to.end()));
  }

  #pass(deliver: () => void): void {
    // The delay is the same for all of a connection: they stay in order.
    if (this.#delayMillis > 0) setTimeout(() => this.#deliver(deliver), this.#delayMillis).unref();
    else this.#deliver(deliver);
  }

  #deliver(deliver: () => void): void {
    if (this.#state === "held") this.#held.push(deliver);
    else if (this.#state === "open") deliver();
  }
}

function errorPacket(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const head = Buffer.alloc(5);
  head.write("E");
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}
