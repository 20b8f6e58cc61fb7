"""Windows out of many files at once, each file by one of several processes.

A process is `python -m mvae_lib.data.extraction_pool`, which reads the name of one file after another. It imports this
package and nothing of the program that started it, so that a plain script and a notebook work alike on every platform.
"""

import json
import os
import subprocess
import sys
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import numpy as np

from mvae_lib.music.representation import get_representation, is_shipped

_LENGTH = 8  # bytes of the number that says how many bytes come next


@dataclass(frozen=True)
class FileWindows:
    """What one file gave: all arrays have one entry per window; `error` says why there is none, "" where there are."""

    tokens: np.ndarray  # [windows, steps(, tracks)]
    track: np.ndarray  # [windows], counted from 0
    bar: np.ndarray  # [windows], counted from 1
    names: tuple[str, ...]  # of the tracks of the windows
    reasons: tuple[tuple[str, int, str], ...]  # (kind, notes, sentence) of each part of the file that gave none
    error: str = ""

    def to_bytes(self) -> bytes:
        """As compressed bytes with a checksum: a header in JSON, then the arrays."""
        words = {"shape": self.tokens.shape, "dtype": self.tokens.dtype.str}
        words |= {"names": self.names, "reasons": self.reasons, "error": self.error}
        header = json.dumps(words).encode()
        places = np.concatenate([self.track, self.bar]).astype("<i8")
        return zlib.compress(
            len(header).to_bytes(_LENGTH, "big") + header + places.tobytes() + self.tokens.tobytes(), 1
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> "FileWindows":
        """The inverse of `to_bytes`. Raises an exception of some kind for anything else."""
        content = zlib.decompress(content)
        start = _LENGTH + int.from_bytes(content[:_LENGTH], "big")
        words = json.loads(content[_LENGTH:start])
        windows = words["shape"][0]
        track, bar = np.frombuffer(content, "<i8", 2 * windows, start).astype(np.int64).reshape(2, windows)
        tokens = np.frombuffer(content[start + 16 * windows :], words["dtype"]).reshape(words["shape"]).copy()
        names, reasons, error = tuple(words["names"]), tuple(map(tuple, words["reasons"])), words["error"]
        if len(names) != windows or bool(error) == bool(windows):
            raise ValueError("the parts of the entry do not fit together")
        return cls(tokens, track, bar, names, reasons, error)


def extract_file(path: str | Path, representation: str, bars: int) -> FileWindows:
    """The windows of one file; any error is described in `error`, without the name of the file."""
    kind = get_representation(representation)
    try:
        found = kind.from_midi(path, bars)
        tokens = kind.check(found.tokens)
        if not len(tokens):
            return _no_windows("no window was found")
        return FileWindows(
            tokens,
            np.array([source.instrument for source in found.sources], np.int64),
            np.array([source.bar for source in found.sources], np.int64),
            tuple(str(source.name) for source in found.sources),
            tuple(map(_parts, found.reasons)),
        )
    except ModuleNotFoundError:
        raise
    except (ValueError, OSError) as error:
        return _no_windows(_in_general(error, path))
    except Exception as error:  # one file out of thousands must not stop all others
        return _no_windows(f"it cannot be read ({type(error).__name__}: {error})")


def extract_files(
    paths: Sequence[str | Path], representation: str, bars: int, workers: int
) -> Iterator[tuple[int, FileWindows]]:
    """(index into `paths`, what the file gave), in any order; by this process where `workers` is 1.

    A representation that only this process knows is read by this process, too.
    """
    workers = min(workers, len(paths))
    if workers <= 1 or not is_shipped(representation):
        for index, path in enumerate(paths):
            yield index, extract_file(path, representation, bars)
        return
    idle: SimpleQueue[_Reader] = SimpleQueue()
    readers = [_Reader(representation, bars) for _ in range(workers)]
    for reader in readers:
        idle.put(reader)

    def extract(path: str | Path) -> FileWindows:
        reader = idle.get()
        try:
            return reader.extract(path)
        finally:
            idle.put(reader)

    pool = ThreadPoolExecutor(workers)
    try:
        indices = {pool.submit(extract, path): index for index, path in enumerate(paths)}
        for future in as_completed(indices):
            yield indices[future], future.result()
    finally:  # also where the user stops it
        pool.shutdown(wait=False, cancel_futures=True)
        for reader in readers:
            reader.close()
        pool.shutdown()


class _Reader:
    """One process that reads files, started when it is first needed and again after a death."""

    def __init__(self, representation: str, bars: int):
        self._arguments = (representation, str(bars))
        self._process: subprocess.Popen | None = None
        self._closed = False

    def extract(self, path: str | Path) -> FileWindows:
        if self._closed:
            return _no_windows("reading was stopped")
        process = self._running()
        try:
            process.stdin.write(json.dumps(os.fspath(path)).encode() + b"\n")
            process.stdin.flush()
            length = int.from_bytes(process.stdout.read(_LENGTH), "big")
            return FileWindows.from_bytes(process.stdout.read(length))
        except Exception:
            self._stop()
            return _no_windows("the process that read it ended without a response")

    def close(self) -> None:
        self._closed = True
        self._stop()

    def _running(self) -> subprocess.Popen:
        if self._process is None:
            package = str(Path(__file__).resolve().parents[2])
            path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            )
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):  # what was not yet written has no reader any more
                    pipe.close()


def _in_general(error: Exception, path: str | Path) -> str:
    """What is wrong with a file, in words that other files share: of several reasons, the one that took most notes."""
    reasons = [_parts(reason) for reason in getattr(getattr(error, "extraction", None), "reasons", ())]
    if not reasons:
        return str(error).removeprefix(f"{path}: ")
    kind, _, text = max(reasons, key=lambda reason: reason[1])
    return f"no window of this length (most of its notes: {kind or text})"


def _parts(reason: object) -> tuple[str, int, str]:
    """(kind, notes, sentence) of a reason, which may be a plain sentence."""
    text = str(getattr(reason, "text", reason))
    return str(getattr(reason, "kind", "")), int(getattr(reason, "notes", 0)), text


def _no_windows(error: str) -> FileWindows:
    none = np.zeros(0, np.int64)
    return FileWindows(np.zeros((0, 0), np.uint8), none, none, (), (), error or "it cannot be read")


def _serve(representation: str, bars: int) -> None:
    """Read one file name per line, write what it gave, until there are no more lines."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that has started this one
    responses, sys.stdout = sys.stdout.buffer, sys.stderr  # whatever else is printed is no response
    for line in sys.stdin.buffer:
        content = extract_file(json.loads(line), representation, bars).to_bytes()
        responses.write(len(content).to_bytes(_LENGTH, "big") + content)
        responses.flush()


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
