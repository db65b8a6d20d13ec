// A small, safe subset of markdown, parsed into a tree in linear time; no HTML passes through.

export type Inline =
  | { t: "text"; text: string }
  | { t: "code"; text: string }
  | { t: "strong" | "em" | "del"; children: Inline[] }
  | { t: "link"; href: string; children: Inline[] }
  | { t: "br" };

export type Block =
  | { t: "p"; children: Inline[] }
  | { t: "h"; level: number; children: Inline[] }
  | { t: "code"; language: string; text: string }
  | { t: "quote"; children: Block[] }
  | { t: "list"; ordered: boolean; start: number; items: Block[][] }
  | { t: "hr" };

const MAX_DEPTH = 6;

export function parseMarkdown(source: string, depth = 0): Block[] {
  const lines = source.replace(/\r\n?/g, "\n").split("\n");
  const blocks: Block[] = [];
  let paragraph: string[] = [];
  const flush = (): void => {
    if (paragraph.length > 0) blocks.push({ t: "p", children: parseInline(paragraph.join("\n")) });
    paragraph = [];
  };
  let i = 0;
  while (i < lines.length) {
    const line = lines[i] as string;
    const fence = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)/.exec(line);
    if (fence) {
      flush();
      const mark = fence[1] as string;
      const body: string[] = [];
      i += 1;
      while (i < lines.length && !isFenceEnd(lines[i] as string, mark)) body.push(lines[i++] as string);
      i += 1;
      blocks.push({ t: "code", language: fence[2] ?? "", text: body.join("\n") });
      continue;
    }
    if (line.trim() === "") {
      flush();
      i += 1;
      continue;
    }
    const heading = /^ {0,3}(#{1,6})\s+(.*)$/.exec(line);
    if (heading) {
      flush();
      const text = (heading[2] as string).trimEnd().replace(/\s#+$/, "");
      blocks.push({ t: "h", level: (heading[1] as string).length, children: parseInline(text) });
      i += 1;
      continue;
    }
    if (isRule(line)) {
      flush();
      blocks.push({ t: "hr" });
      i += 1;
      continue;
    }
    if (depth < MAX_DEPTH && /^ {0,3}>/.test(line)) {
      flush();
      const body: string[] = [];
      while (i < lines.length && /^ {0,3}>/.test(lines[i] as string)) {
        body.push((lines[i++] as string).replace(/^ {0,3}> ?/, ""));
      }
      blocks.push({ t: "quote", children: parseMarkdown(body.join("\n"), depth + 1) });
      continue;
    }
    if (depth < MAX_DEPTH && itemOf(line)) {
      flush();
      const [list, next] = parseList(lines, i, depth);
      blocks.push(list);
      i = next;
      continue;
    }
    paragraph.push(line);
    i += 1;
  }
  flush();
  return blocks;
}

interface Item {
  ordered: boolean;
  start: number;
  indent: number;
  text: string;
}

function itemOf(line: string): Item | null {
  const match = /^( {0,3})(?:([-*+])|(\d{1,9})[.)])(?: +(.*))?$/.exec(line);
  if (!match || (match[4] ?? "") === "") return null;
  const ordered = match[3] !== undefined;
  const marker = ordered ? (match[3] as string).length + 1 : 1;
  return { ordered, start: Number(match[3] ?? 1), indent: (match[1] ?? "").length + marker + 1, text: match[4] ?? "" };
}

function parseList(lines: string[], from: number, depth: number): [Block, number] {
  const first = itemOf(lines[from] as string) as Item;
  const items: Block[][] = [];
  let i = from;
  while (i < lines.length) {
    const item = itemOf(lines[i] as string);
    if (!item || item.ordered !== first.ordered) break;
    const body = [item.text];
    i += 1;
    while (i < lines.length) {
      const line = lines[i] as string;
      const indented = new RegExp(`^ {${Math.min(item.indent, 2)},}`).test(line);
      const blank = line.trim() === "";
      if (blank && !/^ {2,}\S/.test(lines[i + 1] ?? "")) break;
      if (!blank && !indented) break;
      body.push(line.slice(Math.min(item.indent, line.length - line.trimStart().length)));
      i += 1;
    }
    items.push(parseMarkdown(body.join("\n"), depth + 1));
    // One blank line between two items keeps the list going.
    if ((lines[i] ?? "x").trim() === "" && itemOf(lines[i + 1] ?? "")?.ordered === first.ordered) i += 1;
  }
  return [{ t: "list", ordered: first.ordered, start: first.start, items }, i];
}

function isFenceEnd(line: string, mark: string): boolean {
  const text = line.trim();
  return text.length >= mark.length && text === (mark[0] as string).repeat(text.length);
}

function isRule(line: string): boolean {
  const text = line.replace(/\s/g, "");
  return text.length >= 3 && /^ {0,3}\S/.test(line) && (/^-+$/.test(text) || /^\*+$/.test(text) || /^_+$/.test(text));
}

const MARKS: [string, "strong" | "em" | "del"][] = [
  ["**", "strong"],
  ["__", "strong"],
  ["~~", "del"],
  ["*", "em"],
  ["_", "em"],
];

export function parseInline(source: string, depth = 0): Inline[] {
  const out: Inline[] = [];
  let text = "";
  // A search for a closing mark that failed once fails for the rest too: this keeps it linear.
  const dead = new Set<string>();
  const flush = (): void => {
    if (text !== "") out.push({ t: "text", text });
    text = "";
  };
  const seek = (mark: string, from: number): number => {
    if (dead.has(mark)) return -1;
    const end = source.indexOf(mark, from);
    if (end < 0) dead.add(mark);
    return end;
  };
  let i = 0;
  while (i < source.length) {
    const char = source[i] as string;
    if (char === "\\" && /[\\`*_~[\]()#>!-]/.test(source[i + 1] ?? "")) {
      text += source[i + 1];
      i += 2;
      continue;
    }
    if (char === "\n") {
      text = text.trimEnd();
      flush();
      out.push({ t: "br" });
      i += 1;
      continue;
    }
    if (char === "`") {
      const run = /^`+/.exec(source.slice(i, i + 16))?.[0] ?? "`";
      const end = seek(run, i + run.length);
      if (end > 0) {
        flush();
        out.push({ t: "code", text: source.slice(i + run.length, end) });
        i = end + run.length;
        continue;
      }
      text += run;
      i += run.length;
      continue;
    }
    if (char === "[" && depth < MAX_DEPTH) {
      const link = linkAt(source, i, seek);
      if (link) {
        flush();
        out.push({ t: "link", href: link.href, children: parseInline(link.label, MAX_DEPTH) });
        i = link.end;
        continue;
      }
    }
    if (char === "h" && !/\w/.test(source[i - 1] ?? "")) {
      const url = /^https?:\/\/[^\s<>"'`]+/.exec(source.slice(i, i + 2048))?.[0]?.replace(/[.,;:!?)\]*_~]+$/, "");
      if (url && url.length > 8 && depth < MAX_DEPTH) {
        flush();
        out.push({ t: "link", href: url, children: [{ t: "text", text: url }] });
        i += url.length;
        continue;
      }
    }
    const mark = depth < MAX_DEPTH ? MARKS.find(([m]) => source.startsWith(m, i)) : undefined;
    if (mark) {
      const [m, kind] = mark;
      const end = emphasisEnd(source, i, m, seek);
      if (end > 0) {
        flush();
        out.push({ t: kind, children: parseInline(source.slice(i + m.length, end), depth + 1) });
        i = end + m.length;
        continue;
      }
      text += m;
      i += m.length;
      continue;
    }
    text += char;
    i += 1;
  }
  flush();
  return out;
}

type Seek = (mark: string, from: number) => number;

/** Where the emphasis that opens at `i` closes, or -1: not after a space, and `_` only at the ends of a word. */
function emphasisEnd(source: string, i: number, mark: string, seek: Seek): number {
  if (/\s|^$/.test(source[i + mark.length] ?? "")) return -1;
  if (mark.startsWith("_") && /\w/.test(source[i - 1] ?? "")) return -1;
  let end = seek(mark, i + mark.length + 1);
  for (let tries = 0; end > 0 && tries < 8; tries += 1) {
    const before = source[end - 1] ?? " ";
    const after = source[end + mark.length] ?? "";
    const partOfLonger = mark.length === 1 && (before === mark || after === mark);
    if (!/\s/.test(before) && !partOfLonger && !(mark.startsWith("_") && /\w/.test(after))) return end;
    end = seek(mark, end + (partOfLonger ? 2 : 1));
  }
  return -1;
}

function linkAt(source: string, i: number, seek: Seek): { label: string; href: string; end: number } | null {
  const middle = seek("](", i);
  if (middle < 0 || middle - i > 1000) return null;
  const end = seek(")", middle);
  if (end < 0 || end - middle > 2050) return null;
  const label = source.slice(i + 1, middle);
  const href = safeHref(source.slice(middle + 2, end).trim().replace(/\s+"[^"]*"$/, ""));
  return href !== null && label !== "" && !label.includes("\n\n") ? { label, href, end: end + 1 } : null;
}

/** Only links that lead out in the open: no scripts, no data, no relative paths of this page. */
export function safeHref(href: string): string | null {
  try {
    const url = new URL(href);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}
