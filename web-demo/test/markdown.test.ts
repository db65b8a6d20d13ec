// Markdown: the subset, text that must not become a link, and time linear in the length of the text.
import { expect, test } from "vitest";
import { parseInline, parseMarkdown, safeHref } from "../src/markdown/parse";

const text = (value: string) => ({ t: "text", text: value });

test("inline marks", () => {
  expect(parseInline("a **b** *c* `d*` ~~e~~ snake_case_name")).toEqual([
    text("a "),
    { t: "strong", children: [text("b")] },
    text(" "),
    { t: "em", children: [text("c")] },
    text(" "),
    { t: "code", text: "d*" },
    text(" "),
    { t: "del", children: [text("e")] },
    text(" snake_case_name"),
  ]);
  expect(parseInline("**bold *and* more**")).toEqual([
    { t: "strong", children: [text("bold "), { t: "em", children: [text("and")] }, text(" more")] },
  ]);
  expect(parseInline("2 * 3 * 4 and \\*not\\*")).toEqual([text("2 * 3 * 4 and *not*")]);
});

test("links lead out in the open or are text", () => {
  expect(parseInline("[a](https://x.org/b) https://y.org/c.")).toEqual([
    { t: "link", href: "https://x.org/b", children: [text("a")] },
    text(" "),
    { t: "link", href: "https://y.org/c", children: [text("https://y.org/c")] },
    text("."),
  ]);
  for (const href of ["javascript:alert(1)", "JaVaScRiPt:x", "data:text/html,x", "vbscript:x", "/relative", "//host/x", "java\nscript:x"]) {
    expect(safeHref(href)).toBeNull();
    expect(JSON.stringify(parseInline(`[a](${href})`))).not.toContain('"link"');
  }
});

test("blocks", () => {
  const source = "# Title\n\npara one\nline two\n\n- a\n- b\n  - c\n\n3. x\n4. y\n\n> quoted\n\n```js\nlet a = '<b>';\n```\n---\nend";
  expect(parseMarkdown(source).map((block) => block.t)).toEqual(["h", "p", "list", "list", "quote", "code", "hr", "p"]);
  expect(parseMarkdown("- a\n- b\n  - c")).toMatchObject([{ ordered: false, items: [[{ t: "p" }], [{ t: "p" }, { t: "list" }]] }]);
  expect(parseMarkdown("3. x\n4. y")).toMatchObject([{ ordered: true, start: 3, items: [[{ t: "p" }], [{ t: "p" }]] }]);
  expect(parseMarkdown("```\nopen")).toEqual([{ t: "code", language: "", text: "open" }]);
  expect(parseMarkdown("")).toEqual([]);
});

test.each(["*", "_", "**a", "[", "[a](", "`", "~~", "> ", "- ", "1. ", "\\", "a_", "*a _b ", "[](", "https://"])(
  "a flood of %j takes no more time than its length",
  (piece) => {
    // Of the processor, which other programs may have meanwhile.
    const started = process.cpuUsage();
    parseMarkdown(piece.repeat(Math.ceil(60_000 / piece.length)));
    parseMarkdown(`${piece}\n`.repeat(5_000));
    expect(process.cpuUsage(started).user / 1_000).toBeLessThan(1_500);
  },
);
