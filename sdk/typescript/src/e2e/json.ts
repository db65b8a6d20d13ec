// JSON without duplicate keys.

/** Like `JSON.parse`, but throws where an object names a key twice, which two readers may read differently. */
export function parseStrictly(text: string): unknown {
  const value = JSON.parse(text) as unknown;
  // The text is valid JSON: a scan over its tokens finds the keys of each object.
  const open: (Set<string> | null)[] = [];
  const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]/gs;
  let key: string | null = null;
  for (let found = token.exec(text); found; found = token.exec(text)) {
    const [part] = found;
    if (part === "{") open.push(new Set());
    else if (part === "[") open.push(null);
    else if (part === "}" || part === "]") open.pop();
    else if (part === ":") {
      const keys = open.at(-1);
      if (keys?.has(key ?? "")) throw new SyntaxError("A key appears twice");
      keys?.add(key ?? "");
    } else if (part.startsWith('"')) key = JSON.parse(part) as string;
  }
  return value;
}
