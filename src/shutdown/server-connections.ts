import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";

/** A server of `node:http` or `node:https`, or anything that closes like one, as servers of `node:http2` do. */
export interface ClosableServer {
  close(done?: (error?: Error) => void): unknown;
  closeIdleConnections?(): void;
  closeAllConnections?(): void;
}

/** What else a server may have, and a stand-in for one may lack. */
interface ServerParts extends ClosableServer {
  on?(event: string, listener: (...given: never[]) => void): unknown;
  prependListener?(event: string, listener: (...given: never[]) => void): unknown;
  removeListener?(event: string, listener: (...given: never[]) => void): unknown;
  getConnections?(done: (error: Error | null, count: number) => void): unknown;
  readonly listening?: boolean;
}

/** Only HTTP/1 has it. */
interface Answer {
  shouldKeepAlive?: boolean;
}

/** Node's own property, on which http-terminator relies too: null between two requests. */
interface AnsweringSocket extends Socket {
  readonly _httpMessage?: Answer | null;
}

/** How long a connection may take to send its first byte. Browsers and load balancers open some in advance. */
const SILENT_MILLIS = 250;

/**
 * The connections of a server, and what a graceful shutdown does with them. They are noted as they open: requests cost
 * nothing, and a server that cannot close idle connections by itself has them closed too. Nothing here throws.
 */
export class ServerConnections {
  readonly #server: ServerParts;
  /** When each of them was opened. */
  readonly #sockets = new Map<Socket, number>();
  readonly #sessions = new Set<ServerHttp2Session>();
  /** The answers that end their connections because of this. */
  readonly #last = new WeakSet<Answer>();
  #opened = 0;

  constructor(server: ClosableServer) {
    this.#server = server;
    attempt(() => {
      this.#server.on?.("connection", this.#onSocket);
      this.#server.on?.("secureConnection", this.#onSocket);
      this.#server.on?.("session", this.#onSession);
    });
  }

  /** Lets go of the server. */
  detach(): void {
    attempt(() => {
      this.#server.removeListener?.("connection", this.#onSocket);
      this.#server.removeListener?.("secureConnection", this.#onSocket);
      this.#server.removeListener?.("session", this.#onSession);
      this.#server.removeListener?.("request", this.#onRequest);
    });
  }

  /** From now on every answer that has not begun carries `Connection: close`, and its connection ends with it. */
  endWithTheirAnswers(): void {
    attempt(() => this.#server.removeListener?.("request", this.#onRequest));
    attempt(() => this.#server.prependListener?.("request", this.#onRequest));
    for (const answer of this.#answersUnderWay()) this.#endWith(answer);
  }

  /** Takes that back. */
  outlastTheirAnswers(): void {
    attempt(() => this.#server.removeListener?.("request", this.#onRequest));
    for (const answer of this.#answersUnderWay()) if (this.#last.has(answer)) answer.shouldKeepAlive = true;
  }

  /** Runs `close`, within which a server of Node closes its idle connections, without that. */
  keepIdle(close: () => void): void {
    const descriptor = { value: () => {}, configurable: true };
    const isOwn = Object.hasOwn(this.#server, "closeIdleConnections");
    if (!isOwn) attempt(() => Object.defineProperty(this.#server, "closeIdleConnections", descriptor));
    close();
    if (!isOwn) attempt(() => Reflect.deleteProperty(this.#server, "closeIdleConnections"));
  }

  /** Closes connections on which no request is under way. HTTP/2 sessions end with their last stream. */
  closeIdle(): void {
    const { closeIdleConnections } = this.#server;
    if (closeIdleConnections) attempt(() => closeIdleConnections.call(this.#server));
    const at = performance.now();
    for (const [socket, openedAt] of this.#sockets) {
      // Node counts a connection that has sent nothing as one with a request under way.
      const isSilent = socket.bytesRead === 0 && at - openedAt >= SILENT_MILLIS;
      const isBetween = !closeIdleConnections && (socket as AnsweringSocket)._httpMessage === null;
      if (isSilent || isBetween) attempt(() => socket.destroy());
    }
    for (const session of this.#sessions) if (!session.closed) attempt(() => session.close());
  }

  /** Closes all connections, whatever is under way, upgraded ones too. */
  cutOff(): void {
    attempt(() => this.#server.closeAllConnections?.());
    for (const session of this.#sessions) attempt(() => session.destroy());
    for (const socket of this.#sockets.keys()) attempt(() => socket.destroy());
  }

  /** How many were opened so far. */
  get opened(): number {
    return this.#opened;
  }

  get isListening(): boolean {
    return this.#server.listening === true;
  }

  get canBeCounted(): boolean {
    return typeof this.#server.getConnections === "function" || typeof this.#server.on === "function";
  }

  /** Calls back with the number of open connections; never, where the server does not answer. */
  count(done: (open: number) => void): void {
    const { getConnections } = this.#server;
    if (!getConnections) done(this.#sockets.size);
    else attempt(() => getConnections.call(this.#server, (error, open) => (error ? undefined : done(open))));
  }

  readonly #onSocket = (socket: Socket): void => {
    this.#opened++;
    this.#sockets.set(socket, performance.now());
    socket.once("close", () => this.#sockets.delete(socket));
  };

  readonly #onSession = (session: ServerHttp2Session): void => {
    this.#sessions.add(session);
    session.once("close", () => this.#sessions.delete(session));
  };

  readonly #onRequest = (_request: unknown, answer: Answer): void => this.#endWith(answer);

  #endWith(answer: Answer): void {
    if (!answer.shouldKeepAlive) return;
    answer.shouldKeepAlive = false;
    this.#last.add(answer);
  }

  /** Where a socket lacks it, its connection is closed once it is idle. */
  #answersUnderWay(): Answer[] {
    return [...this.#sockets.keys()].flatMap((socket) => (socket as AnsweringSocket)._httpMessage ?? []);
  }
}

function attempt(act: () => unknown): void {
  try {
    act();
  } catch {
    // A stand-in that throws is one that lacks this.
  }
}
