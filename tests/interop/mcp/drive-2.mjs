// The official TypeScript client, 2.x, as a driver: see mcp_clients.py.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { drive, hiloopEnvironment } from "./driver.mjs";

const load = (name) => import(pathToFileURL(createRequire(`${process.env.PACKAGES}/package.json`).resolve(name)).href);
const { Client } = await load("@modelcontextprotocol/client");
const { StdioClientTransport } = await load("@modelcontextprotocol/client/stdio");

const [program, ...rest] = process.argv.slice(2);
const transport = new StdioClientTransport({ command: program, args: ["mcp"], env: hiloopEnvironment() });
const client = new Client({ name: "interop", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } });
await client.connect(transport);
const call = (name, args, onprogress) => client.callTool({ name, arguments: args }, { onprogress });
await drive(call, (await client.listTools()).tools, client.getNegotiatedProtocolVersion(), rest);
await client.close();
