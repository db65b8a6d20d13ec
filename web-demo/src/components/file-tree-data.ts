// Paths as a tree of folders.

export interface File {
  name: string;
  change: string;
}

export interface Folder {
  name: string;
  folders: Folder[];
  files: File[];
}

/** Deeper folders are joined into one name. */
const DEPTH = 12;

export function filesOf(entries: readonly { path: string; change: string }[]): Folder {
  const root: Folder = { name: "", folders: [], files: [] };
  const known = new Map<string, Folder>();
  for (const { path, change } of entries) {
    const parts = path.split("/").filter((part) => part !== "");
    const name = parts.pop() ?? path;
    const names = parts.length <= DEPTH ? parts : [...parts.slice(0, DEPTH - 1), parts.slice(DEPTH - 1).join("/")];
    folderAt(root, names, known).files.push({ name, change });
  }
  return { ...root, folders: root.folders.map(joined) };
}

function folderAt(root: Folder, names: readonly string[], known: Map<string, Folder>): Folder {
  let at = root;
  let key = "";
  for (const name of names) {
    key += `${name}\n`;
    let next = known.get(key);
    if (!next) {
      next = { name, folders: [], files: [] };
      known.set(key, next);
      at.folders.push(next);
    }
    at = next;
  }
  return at;
}

/** A folder that holds one folder and nothing else is shown in one line with it. */
function joined(folder: Folder): Folder {
  const [only] = folder.folders;
  if (only && folder.folders.length === 1 && folder.files.length === 0) return joined({ ...only, name: `${folder.name}/${only.name}` });
  return { ...folder, folders: folder.folders.map(joined) };
}
