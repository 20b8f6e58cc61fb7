"""A MIDI file from the reader's own machine, as bytes from the page. Chapter: 09."""

import tempfile
from pathlib import Path

from mvae_lib.music.extraction import Extraction, extract_melodies
from mvae_lib.music.melody import STEPS_PER_BAR
from mvae_lib.music.midi import MidiError


def melodies_in_file(content: bytes, name: str, steps: int) -> Extraction:
    """The melodies of `steps` steps in a MIDI file. Raises MidiError, whose message begins with the file's own name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dropped.mid"  # never the page's name, which may be anything
        path.write_bytes(content)
        try:
            return extract_melodies(path, steps // STEPS_PER_BAR)
        except MidiError as error:
            raise type(error)(str(error).replace(str(path), name)) from None
