"""Writing files whole: a reader sees the old file or the new one, and never half of either."""

import os
import uuid
from pathlib import Path


def write_whole(path: str | Path, data: bytes, on_disk: bool = False) -> None:
    """Write `data` under a temporary name in the folder of `path`, then rename it over `path` in one step.

    `on_disk`: only after the data are on the disk, so that not even a power failure leaves half of them. Raises
    FileNotFoundError where that folder does not exist, and OSError where it cannot be written to.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: the folder {path.parent} does not exist; create it first")
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            if on_disk:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
