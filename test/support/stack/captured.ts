import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** What Alertmanager sent to Slack, PagerDuty or a webhook. */
interface Captured {
  readonly path: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it.
  readonly body: any;
}

export interface Capture {
  readonly origin: string;
  readonly received: Captured[];
  stop(): Promise<void>;
}

/** Stands in for Slack and PagerDuty, and answers as they do. */
export async function startCapture(): Promise<Capture> {
  const received: Captured[] = [];
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { url: path = "" } = request;
    received.push({ path, body: JSON.parse(Buffer.concat(chunks).toString()) });
    if (path.endsWith("/enqueue")) {
      response.writeHead(202, { "content-type": "application/json" });
      response.end('{"status":"success","message":"Event processed","dedup_key":"key"}');
    } else {
      response.end("ok");
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
