"""Writes `hiloop/_sync` from `hiloop/_async`: the same code without `async` and `await`.

`--check` writes nothing and fails where a file is not up to date.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1] / "src" / "hiloop"
BY_HAND = {"runtime.py"}
NOTE = "# Generated from {name} by scripts/generate_sync.py: change that file instead.\n"
RULES = [
    (r"\basync (def|for|with)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\b__a(enter|exit|iter|next)__\b", r"__\1__"),
    (r"\baclose\b", "close"),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\bAsyncClient\b", "Client"),
    (r"\bAsync([A-Z])", r"\1"),
    (r"\b_async\b", "_sync"),
    (r"The asynchronous client\..*", 'The blocking client, generated from `_async`."""'),
]


def blocking(source: str, name: str) -> str:
    for pattern, replacement in RULES:
        source = re.sub(pattern, replacement, source)
    return NOTE.format(name=f"_async/{name}") + source


def formatted(source: str) -> str:
    ruff = shutil.which("ruff") or str(Path(sys.executable).with_name("ruff"))
    for arguments in (["check", "--quiet", "--fix-only"], ["format", "--quiet"]):
        command = [ruff, *arguments, "--stdin-filename", str(ROOT / "_sync" / "x.py"), "-"]
        source = subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
    return source


def main() -> int:
    is_check = "--check" in sys.argv
    stale = []
    sources = {path.name for path in (ROOT / "_async").glob("*.py")} - BY_HAND
    for name in sorted(sources):
        target = ROOT / "_sync" / name
        text = formatted(blocking((ROOT / "_async" / name).read_text(), name))
        if not target.exists() or target.read_text() != text:
            stale.append(name)
            if not is_check:
                target.write_text(text)
    for path in (ROOT / "_sync").glob("*.py"):
        if path.name not in sources | BY_HAND:
            stale.append(path.name)
            if not is_check:
                path.unlink()
    if is_check and stale:
        print("not up to date, run scripts/generate_sync.py:", *stale)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
