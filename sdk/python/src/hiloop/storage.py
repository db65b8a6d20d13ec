"""Small private files that several processes share: made once by `link(2)`, replaced by `rename(2)`."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# A lock that is older, in seconds, is of a process that was killed.
_STALE_LOCK = 120
# A temporary file that is older, in seconds, is of a process that was killed.
_LEFT_BEHIND = 600
_cleaned: set[Path] = set()


def config_folder() -> Path:
    """`$XDG_CONFIG_HOME/hiloop`, else `~/.config/hiloop`."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base and Path(base).is_absolute() else Path.home() / ".config") / "hiloop"


def make_folder(folder: Path) -> None:
    """Makes a folder, and those above it, that only this user may enter."""
    for part in reversed([folder, *folder.parents]):
        # With `parents` the mode of those above would follow from the umask.
        if not part.exists():
            part.mkdir(mode=0o700, exist_ok=True)


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


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Holds a lock that all clients of this machine share, of whatever language; gives whether it was free.

    It is a file that one process at a time can create. That of a process that was killed ends after two minutes.
    """
    make_folder(path.parent)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _STALE_LOCK:
                path.unlink()
        yield False
        return
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)


def _write_temporary(path: Path, text: str) -> Path:
    make_folder(path.parent)
    _remove_left_behind(path.parent)
    temporary = path.parent / f".{path.name}.{os.getpid()}.{secrets.token_hex(8)}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return temporary


def _remove_left_behind(folder: Path) -> None:
    """Removes the temporary files of processes that were killed, once for each folder."""
    if folder in _cleaned:
        return
    _cleaned.add(folder)
    for path in folder.glob("*.tmp"):
        with suppress(OSError):
            if path.stat().st_mtime < time.time() - _LEFT_BEHIND:
                path.unlink()


def _sync_folder(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows can't open folders.
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
