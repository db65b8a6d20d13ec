"""Small private files that several processes share: made once by `link(2)`, replaced by `rename(2)`."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def config_folder() -> Path:
    """`$XDG_CONFIG_HOME/hiloop`, else `~/.config/hiloop`."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "hiloop"


def make_folder(folder: Path) -> None:
    """Makes a folder, and those above it, that only this user may enter."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def create_once(path: Path, text: str) -> bool:
    """Writes a new file of mode 0600; False where another process was first, whose file stays."""
    temporary = _write_temporary(path, text)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    _sync_folder(path.parent)
    return True


def replace(path: Path, text: str) -> None:
    """Replaces a file of mode 0600 at once."""
    _write_temporary(path, text).replace(path)
    _sync_folder(path.parent)


def read(path: Path) -> str | None:
    """The text of a file, None where there is none."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None


def _write_temporary(path: Path, text: str) -> Path:
    make_folder(path.parent)
    temporary = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return temporary


def _sync_folder(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows can't open folders.
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
