"""A user's own files from end to end, as a transcript: a folder, training, a kill, resuming, sampling, measuring.

    python tools/own_files_demo.py                # in a temporary folder, with few updates
    python tools/own_files_demo.py --folder demo --updates 400

36 MIDI files are made from the shipped melodies, and five that hold no melody. The training is killed (SIGKILL) after
its first checkpoint, and the same command resumes it; a second training without a stop has to end in the same weights.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from mvae_lib.data.folk import folk_melodies  # noqa: E402
from mvae_lib.music.midi import tokens_to_midi, write_midi  # noqa: E402
from mvae_lib.training.checkpoints import load_model, read_metadata  # noqa: E402

TUNES = 36
BROKEN = {
    "cut_short.mid": b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\1\0\0\x90",
    "empty.mid": b"",
    "page.mid": b"<html>404 not found</html>",
    "text.mid": b"X:1\nT:A tune\nM:4/4\nK:C\nCDEF|\n",
}


def make_folder(folder: Path) -> None:
    """36 tunes of 16 bars in a sub-folder for each book, a waltz, and files that cannot be read."""
    data = folk_melodies(16, "train")
    for book in data.sources:
        of_book = data[data.book == book]
        _, first = np.unique(of_book.tune, return_index=True)
        (folder / book).mkdir(parents=True)
        for window in first[: TUNES // len(data.sources)]:
            title = "".join(char for char in of_book.title(window) if char.isalnum() or char in " -'")
            name = f"{of_book.tune[window]:04} {title}.mid"
            write_midi(tokens_to_midi(of_book.tokens[window], name=title), folder / book / name)
    waltz = tokens_to_midi(data.tokens[0])
    waltz.time_signature_changes[0].numerator = 3
    write_midi(waltz, folder / "waltz.mid")
    for name, content in BROKEN.items():
        (folder / name).write_bytes(content)


def command(*arguments: object) -> list[str]:
    """The line that a user would type, which is printed, as a command of this Python."""
    print(f"\n$ python -m mvae_lib {shlex.join(map(str, arguments))}", flush=True)
    return [sys.executable, "-m", "mvae_lib", *map(str, arguments)]


def killed_after_a_checkpoint(line: list[str], out: Path) -> None:
    """Run a training and kill it with no warning once it has written a checkpoint of some updates."""
    process = subprocess.Popen(line)
    while process.poll() is None:
        time.sleep(0.2)
        if (out / "checkpoint.json").exists() and read_metadata(out).update > 0:
            process.kill()
            break
    process.wait()
    print(f"(killed: exit code {process.returncode}; the checkpoint has {read_metadata(out).update} updates)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="a new folder for all of it (default: a temporary one)")
    parser.add_argument("--updates", type=int, default=60)
    parser.add_argument("--every", type=int, default=20)
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory(prefix="own-files-") as temporary:
        place = options.folder or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        os.chdir(place)
        os.environ["MVAE_CACHE"] = str(Path("cache").absolute())
        make_folder(Path("tunes"))
        print(f"{len(list(Path('tunes').rglob('*.mid')))} files in tunes/")
        sizes = ("--updates", options.updates, "--every", options.every, "--seed", 1)
        train = ("train", "mel_2bar", "--data", "tunes", *sizes, "--out")
        killed_after_a_checkpoint(command(*train, "runs/mine"), Path("runs/mine"))
        subprocess.run(command(*train, "runs/mine"), check=True)
        subprocess.run(command(*train, "runs/unbroken"), check=True)
        mine, unbroken = (load_model(Path("runs") / name).state_dict() for name in ("mine", "unbroken"))
        equal = all(bool((mine[name] == unbroken[name]).all()) for name in unbroken)
        print(f"\nall {len(mine)} tensors of the two runs are equal: {equal}")
        subprocess.run(
            command("sample", "runs/mine", "--n", 2, "--temperature", 0.8, "--out", "new", "--wav"), check=True
        )
        print("\n".join(f"  {path} ({path.stat().st_size:,} bytes)" for path in sorted(Path("new").iterdir())))
        subprocess.run(command("evaluate", "runs/mine", "--data", "tunes", "--samples", 4), check=True)
        first = sorted(Path("tunes/ryan").iterdir())[0]
        subprocess.run(command("reconstruct", "mel_2bar", first, "--list"), check=True)
        subprocess.run(command("reconstruct", "mel_2bar", first, "--bar", 3, "--out", "reconstructed"), check=True)
        if not equal:
            sys.exit("the resumed run differs from the one that was not stopped")


if __name__ == "__main__":
    main()
