"""The windows of files, kept between calls: an entry is found by the content of the file, never by its name.

The folder is MVAE_CACHE, or ~/.cache/mvae_lib. It can be deleted at any time; nothing is written beside the files.
"""

import hashlib
import os
from contextlib import suppress
from functools import cache
from pathlib import Path

from mvae_lib._files import write_whole
from mvae_lib.data.extraction_pool import FileWindows
from mvae_lib.music import representation as music


def cache_folder() -> Path:
    """The folder of the cache: the environment's MVAE_CACHE, else ~/.cache/mvae_lib."""
    return Path(os.environ.get("MVAE_CACHE") or Path.home() / ".cache" / "mvae_lib")


def cache_key(content_sha256: str, representation: str, bars: int) -> str:
    """The name of an entry: it changes with the file, the representation, the bars and the program text that reads."""
    version = music.get_representation(representation).version
    description = f"{content_sha256} {representation} {version} {bars} {_code_version()}"
    return hashlib.sha256(description.encode()).hexdigest()


def load(key: str, representation: str, bars: int) -> FileWindows | None:
    """The entry of that name, or None where there is none or a damaged one."""
    kind = music.get_representation(representation)
    try:
        entry = FileWindows.from_bytes(_path(key).read_bytes())
        if len(entry.tokens):
            kind.check(entry.tokens)
            if entry.tokens.shape[1] != bars * kind.steps_per_bar:
                return None
        return entry
    except Exception:  # damage shows in many ways, and each means: read the file again
        return None


def store(key: str, entry: FileWindows) -> None:
    """Keep an entry; a folder that cannot be written to keeps nothing, which only costs time."""
    with suppress(OSError):
        path = _path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, entry.to_bytes())


def _path(key: str) -> Path:
    return cache_folder() / "windows" / key[:2] / f"{key[2:]}.bin"


@cache
def _code_version() -> str:
    """The SHA-256 of the package that reads files: another version may read other windows."""
    found = hashlib.sha256()
    for path in sorted(Path(music.__file__).parent.glob("*.py")):
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()
