"""From a tune to the grid: its bars as played, placed on 16 steps per bar of 4/4, ready to be cut into windows.

A tune gives one or more *runs*, stretches of whole 4/4 bars without a gap. A run ends where the metre changes or where
a bar has the wrong length (a typing error: what follows would be off the beat). Windows slide over a run by
one bar.

Chapter: 01. Source: the extraction of Roberts et al. 2018, section 5.1: 4/4, and 2/2 as one bar. The pairs of 2/4 are
ours.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from abc_notation import AbcBar, Tune

from mvae_lib.music.melody import NOTE_OFF, STEPS_PER_BAR, STEPS_PER_QUARTER, is_note_on, note_on

METRES = {(4, 4), (2, 2), (2, 4)}  # two bars of 2/4 make one of 4/4
QUARTERS_PER_BAR = 4
MAX_PIECES = 4  # of a bar that repeat signs cut
FARTHEST = Fraction(1, 3)  # of a step: a triplet of eighths lands on the steps 0, 1, 3 of its beat; 32nds stay outside


@dataclass(frozen=True)
class Run:
    """Bars of 4/4 in a row: tokens `[bars, 16]` (uint8), which of them the grid can hold, and in which a note moved."""

    tokens: np.ndarray
    fits: np.ndarray  # bool [bars]: every note has a step of its own, at most `FARTHEST` from where it is written
    moved: np.ndarray  # bool [bars]: some note is not exactly where it is written


class _Measure(NamedTuple):
    """One bar of the metre, put together where a repeat sign cut it in two."""

    onset: Fraction
    length: Fraction
    full: Fraction
    metre: tuple[int, int]
    opens: bool  # a part of the tune begins here, or began with a pickup just before
    closes: bool


@dataclass
class _Span:
    """An unfinished run: quarter notes [start, end), after `lead` quarter notes of silence that pad a pickup."""

    start: Fraction
    end: Fraction
    lead: Fraction
    full: Fraction

    def filled(self) -> Fraction:
        """The length that is filled in the last 4/4 bar, in quarter notes; 0 when it is full."""
        return (self.lead + self.end - self.start) % QUARTERS_PER_BAR


def runs(tune: Tune) -> list[Run]:
    """The runs of a tune in 4/4, 2/2 or 2/4; an empty list when it has no bar in these metres.

    A pickup is padded with silence on its left, a last bar that leaves room for the pickup on its right.
    """
    return [_on_grid(tune, span) for span in _spans(tune.bars)]


def sounding(tokens: np.ndarray) -> np.ndarray:
    """True at the steps `[..., steps]` where a note sounds, counted from the first note-on of each melody."""
    steps = np.arange(tokens.shape[-1])
    last_event = np.maximum.accumulate(np.where(tokens > 0, steps, -1), axis=-1)
    at_last = np.take_along_axis(tokens, np.maximum(last_event, 0), axis=-1)
    return is_note_on(at_last) & (last_event >= 0)


def longest_silence(tokens: np.ndarray) -> np.ndarray:
    """The longest silence of each melody `[melodies, steps]`, in steps `[melodies]`."""
    steps = np.arange(tokens.shape[-1])
    last_sound = np.maximum.accumulate(np.where(sounding(tokens), steps, -1), axis=-1)
    return (steps - last_sound).max(axis=-1)


def _measures(bars: tuple[AbcBar, ...]) -> Iterator[_Measure]:
    after_pickup = False
    i = 0
    while i < len(bars):
        full = Fraction(4 * bars[i].metre[0], bars[i].metre[1])
        length, j = bars[i].length, i + 1
        while length < full and j < min(i + MAX_PIECES, len(bars)) and bars[j].metre == bars[i].metre:
            length, j = length + bars[j].length, j + 1
        if length != full:
            length, j = bars[i].length, i + 1
        opens = bars[i].opens or after_pickup
        yield _Measure(bars[i].onset, length, full, bars[i].metre, opens, bars[j - 1].closes)
        after_pickup = any(bar.opens for bar in bars[i + 1 : j])
        i = j


def _spans(bars: tuple[AbcBar, ...]) -> Iterator[_Span]:
    span: _Span | None = None
    for measure in _measures(bars):
        complete, usable = measure.length == measure.full, measure.metre in METRES
        end = measure.onset + measure.length
        begins_off_beat = span and complete and measure.opens and span.filled()  # an odd number of 2/4 bars before it
        if span and (not complete or not usable or span.full != measure.full or begins_off_beat):
            if usable and measure.length < measure.full == span.full and measure.closes and not measure.opens:
                span.end, end = end, None  # a last bar, short because the pickup is its rest
            yield from _finished(span)
            span = None
        if usable and complete:
            span = span or _Span(measure.onset, end, Fraction(0), measure.full)
            span.end = end
        elif usable and measure.length < measure.full and measure.opens:
            span = _Span(measure.onset, end, QUARTERS_PER_BAR - measure.length, measure.full)
    if span:
        yield from _finished(span)


def _finished(span: _Span) -> Iterator[_Span]:
    if 0 < span.filled() <= 2 == span.full:
        span.end -= span.filled()  # half a bar is left when the number of 2/4 bars is odd
    if span.end > span.start:
        yield span


def _on_grid(tune: Tune, span: _Span) -> Run:
    origin = span.start - span.lead
    bars = -int(-(span.end - origin) // QUARTERS_PER_BAR)
    steps = bars * STEPS_PER_BAR
    tokens, fits, moved = np.zeros(steps, np.uint8), np.ones(bars, bool), np.zeros(bars, bool)
    first, after = (bisect_left(tune.notes, time, key=lambda note: note.onset) for time in (span.start, span.end))
    step_before = -1
    for note in tune.notes[first:after]:
        start = (note.onset - origin) * STEPS_PER_QUARTER
        end = (min(note.onset + note.duration, span.end) - origin) * STEPS_PER_QUARTER
        step, off = round(start), round(end)
        bar = int(start) // STEPS_PER_BAR
        near = max(abs(start - step), abs(end - off)) <= FARTHEST
        if not (near and step_before < step < off and step // STEPS_PER_BAR == bar):
            fits[bar] = False
            continue
        moved[bar] |= step != start
        tokens[step] = note_on(note.pitch)
        if off < steps:
            tokens[off] = NOTE_OFF  # the next note overwrites it when it begins right here
        step_before = step
    return Run(tokens.reshape(bars, STEPS_PER_BAR), fits, moved)
