// Which grammar highlights a text: by the name of its language, else by the file name of its path.

const NAMES = {
  bash: ["bash", "sh", "shell", "zsh", "console", "bashrc", "profile"],
  css: ["css", "scss"],
  diff: ["diff", "patch"],
  dockerfile: ["dockerfile", "docker", "containerfile"],
  go: ["go", "golang"],
  ini: ["ini", "toml", "cfg", "conf", "properties", "env"],
  java: ["java", "kotlin", "kt"],
  javascript: ["javascript", "js", "jsx", "mjs", "cjs"],
  json: ["json", "jsonc", "json5"],
  python: ["python", "py", "pyi"],
  rust: ["rust", "rs"],
  sql: ["sql", "postgresql", "sqlite"],
  typescript: ["typescript", "ts", "tsx", "mts", "cts"],
  xml: ["xml", "html", "htm", "svg", "vue"],
  yaml: ["yaml", "yml"],
} as const;

export type Grammar = keyof typeof NAMES;

const GRAMMARS: ReadonlyMap<string, Grammar> = new Map(
  (Object.entries(NAMES) as [Grammar, readonly string[]][]).flatMap(([grammar, names]) => names.map((name) => [name, grammar] as const)),
);

/** The grammar for a language; where none is named, for the extension (or the whole name) of the file. Null if there is none. */
export function grammarOf(language: string, path = ""): Grammar | null {
  const name = language.trim() || (/[^/\\.]*$/.exec(path)?.[0] ?? "");
  return GRAMMARS.get(name.toLowerCase()) ?? null;
}
