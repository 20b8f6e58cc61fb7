"""Give the readers thousands of damaged files: each must be read or refused with its own error, and nothing else.

    python tools/fuzz_readers.py            # 10,000 MIDI files
    python tools/fuzz_readers.py --midi 500

Of what is read, the note-ons in the file must be those used and those that the reasons account for. The exit code is 1
where anything else happens; the file that shows it is written to the folder of `--keep`.
"""

import argparse
import contextlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mvae_lib.music.extraction import Extraction, NoMelodyError, extract_melodies
from mvae_lib.music.melody import is_note_on
from mvae_lib.music.midi import MidiError, read_midi
from mvae_lib.music.midi_file import read_music
from tools.midi_mutants import KINDS, ORIGINALS, mutants

REFUSED, NO_MELODY, READ = "refused", "read, no melody", "read, with melodies"


def midi_outcome(data: bytes, path: Path) -> str:
    """The outcome of reading a file: REFUSED, NO_MELODY or READ. Raises whatever should not happen."""
    path.write_bytes(data)
    try:
        midi = read_midi(path)
    except MidiError as error:
        assert str(path) in str(error), "a refusal names the file"
        return REFUSED
    try:
        found = extract_melodies(path)
    except NoMelodyError as error:
        assert str(path) in str(error), "a refusal names the file"
        found = error.extraction
    check_account(found, data)
    assert sum(len(instrument.notes) for instrument in midi.instruments) == len(read_music(data).notes)
    with contextlib.suppress(NoMelodyError):
        extract_melodies(midi)
    return READ if len(found.tokens) else NO_MELODY


def check_account(found: Extraction, data: bytes) -> None:
    """Raises AssertionError where a note-on of the file is neither in a window nor in a reason, or in both."""
    assert found.note_ons == found.notes_used + sum(reason.notes for reason in found.reasons)
    assert found.tokens.dtype == np.uint8 and found.tokens.shape[0] == len(found.sources)
    music = read_music(data)
    if all(2 * metre.numerator != metre.denominator for metre in music.metres):  # bars are not paired
        window, step = np.nonzero(is_note_on(found.tokens))
        first = np.array([(source.instrument, source.bar) for source in found.sources]).reshape(-1, 2)[window]
        assert found.notes_used == len({*zip(first[:, 0], 16 * first[:, 1] + step, strict=True)})


def fuzz(name: str, files: Iterable[bytes], outcome: Callable[[bytes], str], keep: Path | None) -> bool:
    """Try all `files` and print what became of them; True where nothing happened that should not."""
    outcomes, slowest = Counter(), 0.0
    for number, data in enumerate(files):
        start = time.perf_counter()
        try:
            outcomes[outcome(data)] += 1
        except Exception as error:  # whatever it is, it is what this program looks for
            outcomes[f"{type(error).__name__}: {error}"[:120]] += 1
            if keep:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{name}-{number}").write_bytes(data)
        slowest = max(slowest, time.perf_counter() - start)
    print(f"{name}: {outcomes.total():,} files, the slowest took {slowest:.2f} s, peak memory {_peak_megabytes()} MB")
    for what, count in outcomes.most_common():
        print(f"  {count:6,} {what}")
    return not set(outcomes) - {REFUSED, NO_MELODY, READ}


def _peak_megabytes() -> str:
    try:
        import resource
    except ImportError:  # on Windows
        return "?"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f"{peak / (2**20 if sys.platform == 'darwin' else 2**10):.0f}"


def main() -> int:
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--midi", type=int, default=10_000, metavar="N", help="how many MIDI files, at least")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where to write files that show a defect")
    arguments = parser.parse_args()
    of_each_kind = -(-arguments.midi // (len(ORIGINALS) * len(KINDS)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.mid"
        sound = fuzz("MIDI", mutants(of_each_kind), lambda data: midi_outcome(data, path), arguments.keep)
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
