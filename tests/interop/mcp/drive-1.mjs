// The official TypeScript client, 1.x, as a driver: see mcp_clients.py.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { drive, hiloopEnvironment } from "./driver.mjs";

const load = (name) => import(pathToFileURL(createRequire(`${process.env.PACKAGES}/package.json`).resolve(name)).href);
const { Client } = await load("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = await load("@modelcontextprotocol/sdk/client/stdio.js");

const [program, ...rest] = process.argv.slice(2);
const transport = new StdioClientTransport({ command: program, args: ["mcp"], env: hiloopEnvironment() });
let protocol;
transport.setProtocolVersion = (version) => (protocol = version);
const client = new Client({ name: "interop", version: "1.0.0" });
await client.connect(transport);
const call = (name, args, onprogress) => client.callTool({ name, arguments: args }, undefined, { onprogress });
await drive(call, (await client.listTools()).tools, protocol, rest);
await client.close();
