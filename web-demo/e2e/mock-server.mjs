// A simulated hub behind a real port: for what routes inside the browser can't show, such as service workers.
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { WebSocketServer } from "ws";

export class MockServer {
  base = "";
  server = null;
  open = new Set();

  constructor(hub) {
    this.hub = hub;
  }

  static async start(hub) {
    const server = new MockServer(hub);
    await server.listen(0);
    return server;
  }

  async listen(port) {
    const server = createServer((request, response) => void this.http(request, response));
    const sockets = new WebSocketServer({ noServer: true });
    server.on("upgrade", (request, socket, head) => sockets.handleUpgrade(request, socket, head, (one) => this.socket(one)));
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    this.server = server;
    this.base = `http://127.0.0.1:${server.address().port}`;
  }

  /** The hub is out of reach. */
  async stop() {
    const { server } = this;
    if (!server?.listening) return;
    for (const one of this.open) one.terminate();
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }

  /** It is back where it was. */
  async restart() {
    await this.listen(Number(new URL(this.base).port));
  }

  async http(request, response) {
    const body = await text(request);
    await this.hub.http({
      request: () => ({ url: () => this.base + request.url, method: () => request.method, postData: () => body || null, headers: () => request.headers }),
      fulfill: ({ status = 200, contentType, headers = {}, body: reply = "" }) => {
        response.writeHead(status, { ...headers, ...(contentType ? { "content-type": contentType } : {}) });
        response.end(reply);
      },
    });
  }

  socket(one) {
    this.open.add(one);
    const left = [];
    one.on("close", () => {
      this.open.delete(one);
      for (const leave of left) leave();
    });
    one.on("error", () => undefined);
    this.hub.socket({
      send: (frame) => one.send(frame),
      close: ({ code }) => (code >= 3_000 || code === 1_000 ? one.close(code) : one.terminate()),
      onClose: (leave) => left.push(leave),
      onMessage: (take) => one.on("message", (data) => take(String(data))),
    });
  }
}
