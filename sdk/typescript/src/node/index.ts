// Files for keys and pins: what Node.js, Deno and Bun use unless told otherwise.
export { configFolder, FileKeyStore, fileKeyStore, fileName } from "./file-key-store.js";
