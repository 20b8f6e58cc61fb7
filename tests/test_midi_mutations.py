"""Over a thousand broken MIDI files: each is read, or refused with a MidiError; nothing else, and no hang.

`python tools/fuzz_readers.py` does the same to ten thousand.
"""

import faulthandler
from collections import Counter

import pytest

from tools.fuzz_readers import NO_MELODY, READ, REFUSED, midi_outcome
from tools.midi_mutants import ORIGINALS, mutants

MUTANTS_OF_EACH_KIND = 25  # of each file
HANG_SECONDS = 300


@pytest.fixture(autouse=True)
def no_hang():
    """Where a file makes the reader hang, end the run and say where: no exception could get out of a busy C call."""
    faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.mark.filterwarnings("error")
def test_every_mutant_is_read_or_refused_and_each_note_is_accounted_for(tmp_path):
    outcomes = Counter(midi_outcome(data, tmp_path / "mutant.mid") for data in mutants(MUTANTS_OF_EACH_KIND))
    assert outcomes.total() >= 1000
    assert set(outcomes) == {REFUSED, NO_MELODY, READ}


@pytest.mark.parametrize("original", ORIGINALS)
def test_every_beginning_of_a_file_is_read_or_refused(original, tmp_path):
    data = original()[:400]
    assert midi_outcome(original(), tmp_path / "whole.mid") != REFUSED
    for length in range(len(data)):
        midi_outcome(data[:length], tmp_path / "beginning.mid")
