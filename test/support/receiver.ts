import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { afterEach } from "vitest";

interface ReceivedMessage {
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it.
  readonly body: any;
}

/** What a receiver does with one message. */
export type Answer = (response: ServerResponse) => void;

export const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(code, headers).end("what a receiver says");
export const hang: Answer = () => {};
export const endless: Answer = (response) => void response.writeHead(200).write("on and on");
export const closeSocket: Answer = (response) => void response.socket?.destroy();
export const garbage: Answer = (response) => void response.socket?.end("this is not HTTP\r\n\r\n");

export interface Receiver {
  readonly origin: string;
  readonly received: ReceivedMessage[];
  /** From now on; an array answers one message after the other, the last of it all that follow. */
  answer(...answers: Answer[]): void;
}

const servers: { readonly server: Server; readonly sockets: Set<Socket> }[] = [];

/** An HTTP server on loopback that notes what it is sent. Stopped after the test. */
export async function startReceiver(...answers: Answer[]): Promise<Receiver> {
  let script = answers.length > 0 ? answers : [status(200)];
  const received: ReceivedMessage[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = "", url: path = "", headers } = request;
    const body = JSON.parse(Buffer.concat(chunks).toString());
    received.push({ at: performance.now(), method, path, headers, body });
    const answer = script.length > 1 ? script.shift() : script[0];
    answer?.(response);
  });
  const origin = await listen(server);
  return {
    origin,
    received,
    answer: (...next) => {
      script = next;
    },
  };
}

/** A port that accepts connections and does nothing with them. */
export async function startSilence(): Promise<string> {
  return listen(createTcpServer(() => {}));
}

async function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  servers.push({ server, sockets });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

afterEach(async () => {
  await Promise.all(
    servers.splice(0).map(({ server, sockets }) => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      return closed;
    }),
  );
});
