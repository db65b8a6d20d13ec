// A unified diff as files and numbered lines. Text that is no diff is kept as lines of its own.

export interface DiffLine {
  kind: "added" | "removed" | "same" | "hunk" | "note";
  /** Its number before and after the change. */
  before: number | null;
  after: number | null;
  text: string;
}

export interface DiffFile {
  path: string;
  lines: DiffLine[];
  added: number;
  removed: number;
}

const HUNK = /^@@+ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@+ ?(.*)$/;

export function parseDiff(source: string, path = ""): DiffFile[] {
  const parser = new Parser(path);
  for (const line of source.replace(/\r\n?/g, "\n").replace(/\n$/, "").split("\n")) parser.line(line);
  return parser.files.filter(({ lines }, i) => lines.length > 0 || i === 0);
}

class Parser {
  readonly files: DiffFile[];
  private before: number | null = null;
  private after: number | null = null;
  /** How many lines of the hunk are still to come: within it `---` is a removed line, not the head of a file. */
  private left = { before: 0, after: 0 };
  private removedPath: string | null = null;

  constructor(path: string) {
    this.files = [{ path, lines: [], added: 0, removed: 0 }];
  }

  line(line: string): void {
    if (this.left.before > 0 || this.left.after > 0) return this.inHunk(line);
    const hunk = HUNK.exec(line);
    if (hunk) return this.startHunk(hunk);
    if (line.startsWith("diff --git ")) return this.startFile(/ b\/(.+)$/.exec(line)?.[1] ?? "");
    if (line.startsWith("--- ")) {
      this.removedPath = pathIn(line);
      return;
    }
    if (line.startsWith("+++ ")) {
      this.nameFile(pathIn(line) ?? this.removedPath ?? "");
      this.removedPath = null;
      return;
    }
    if (/^(index|old mode|new mode|new file mode|deleted file mode|(dis)?similarity index|rename from|copy from) /.test(line)) return;
    if (line.startsWith("\\")) return this.add("note", line.slice(2));
    // Without hunks: what the signs say, unnumbered.
    if (this.before === null && (line.startsWith("+") || line.startsWith("-"))) return this.inHunk(line);
    if (line === "" && this.file.lines.length === 0) return;
    this.add(this.before === null && line.startsWith(" ") ? "same" : "note", line.replace(/^ /, ""));
  }

  private get file(): DiffFile {
    return this.files[this.files.length - 1] as DiffFile;
  }

  private startHunk([, before, beforeCount = "1", after, afterCount = "1", words = ""]: RegExpExecArray): void {
    this.before = Number(before);
    this.after = Number(after);
    this.left = { before: Number(beforeCount), after: Number(afterCount) };
    this.file.lines.push({ kind: "hunk", before: null, after: null, text: words });
  }

  private inHunk(line: string): void {
    const sign = line[0] ?? " ";
    if (sign === "+") {
      this.left.after -= 1;
      this.file.added += 1;
      this.add("added", line.slice(1));
    } else if (sign === "-") {
      this.left.before -= 1;
      this.file.removed += 1;
      this.add("removed", line.slice(1));
    } else if (sign === "\\") {
      this.add("note", line.slice(2));
    } else {
      this.left.before -= 1;
      this.left.after -= 1;
      // Mail and editors strip the blank of an empty line.
      this.add("same", sign === " " ? line.slice(1) : line);
    }
  }

  private add(kind: DiffLine["kind"], text: string): void {
    const hasBefore = kind === "removed" || kind === "same";
    const hasAfter = kind === "added" || kind === "same";
    this.file.lines.push({ kind, before: hasBefore ? this.before : null, after: hasAfter ? this.after : null, text });
    if (hasBefore && this.before !== null) this.before += 1;
    if (hasAfter && this.after !== null) this.after += 1;
  }

  private startFile(path: string): void {
    this.before = null;
    this.after = null;
    // The first file may have been named by the message.
    if (this.file.lines.length === 0 && this.files.length === 1 && !this.named) this.file.path ||= path;
    else this.files.push({ path, lines: [], added: 0, removed: 0 });
    this.named = true;
  }

  private nameFile(path: string): void {
    // Notes before the first change (a new name) belong to the same file.
    if (this.file.lines.some(({ kind }) => kind !== "note")) this.startFile(path);
    else if (this.files.length > 1 || this.file.path === "") this.file.path = path;
    this.named = true;
  }

  private named = false;
}

/** The path of a `---` or `+++` line; null for a file that is not there. */
function pathIn(line: string): string | null {
  const path = line.slice(4).replace(/\t.*$/, "").trim();
  return path === "/dev/null" ? null : path.replace(/^[ab]\//, "");
}
