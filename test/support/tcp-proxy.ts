import { once } from "node:events";
import { type AddressInfo, createServer, Socket } from "node:net";
import { afterEach } from "vitest";
// Hooks run in reverse: a proxy must let go before a pool behind it says goodbye, or a silent one never would.
import "./pools.ts";

/** A link to a server that can be broken in the ways links break. */
export interface TcpProxy {
  readonly port: number;
  /** How many connections clients have not closed. Seen in a blackhole too: the test has both ends of the link. */
  readonly connections: number;
  /** How many connections clients have opened so far. */
  readonly accepted: number;
  /** Nothing passes any more, in either direction, not even the end of a connection; new ones are accepted. */
  blackhole(): void;
  /** The connections that are open now fall silent for good, as behind a firewall that forgot them; new ones work. */
  freeze(): void;
  /** Listens and forwards again, and delivers what was held back. */
  heal(): void;
  /** Breaks every connection. New ones are accepted. */
  cut(): void;
  /** Breaks every connection and refuses new ones. */
  refuse(): Promise<void>;
  stop(): Promise<void>;
}

const running: TcpProxy[] = [];

/** A proxy on loopback to a port on loopback. Stopped after the test. */
export async function startProxy(targetPort: number): Promise<TcpProxy> {
  const clients = new Set<Socket>();
  const sockets = new Set<Socket>();
  let held: (() => void)[] = [];
  let isSilent = false;
  let accepted = 0;
  const frozen = new Set<Socket>();
  const pass = (deliver: () => void) => {
    if (isSilent) held.push(deliver);
    else deliver();
  };
  const forward = (from: Socket, to: Socket) => {
    const passThawed = (deliver: () => void) => {
      if (!frozen.has(from)) pass(deliver);
    };
    sockets.add(from);
    from.on("data", (chunk) => passThawed(() => to.write(chunk)));
    from.on("end", () => passThawed(() => to.end()));
    from.on("error", () => {}); // "close" follows.
    from.on("close", () => {
      sockets.delete(from);
      passThawed(() => to.destroySoon());
    });
  };

  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = new Socket({ allowHalfOpen: true });
    clients.add(client);
    accepted++;
    client.on("end", () => clients.delete(client));
    client.on("close", () => clients.delete(client));
    forward(client, upstream);
    forward(upstream, client);
    pass(() => upstream.connect(targetPort, "127.0.0.1"));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  const proxy: TcpProxy = {
    port,
    get connections() {
      return clients.size;
    },
    get accepted() {
      return accepted;
    },
    blackhole() {
      isSilent = true;
    },
    freeze() {
      for (const socket of sockets) frozen.add(socket);
    },
    heal() {
      isSilent = false;
      if (!server.listening) server.listen(port, "127.0.0.1");
      for (const deliver of held.splice(0)) deliver();
    },
    cut() {
      held = [];
      for (const socket of sockets) socket.destroy();
    },
    async refuse() {
      const closed = server.listening ? once(server, "close") : undefined;
      server.close();
      proxy.cut();
      await closed;
    },
    stop: () => proxy.refuse(),
  };
  running.push(proxy);
  return proxy;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((proxy) => proxy.stop()));
});
