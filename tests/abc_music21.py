"""What music21 makes of an ABC tune, and what has to be rewritten in a tune before music21 reads it as ABC says.

music21 10.5.1 reads some signs of ABC otherwise, or loses them. Each rewriting below says the same thing in signs that
it does read. Where the two parsers disagree on a tune, the reason is a least set of rewritings that makes them agree.

`python tests/abc_music21.py 60` prints the reasons for a seeded sample of 60 tunes a book: what to put into
test_abc_against_music21.py when the parser, the sample or music21 changes.
"""

import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from random import Random

from abc_dialects import undo_mail_and_plus_signs
from abc_fields import FIELD, without_comment
from abc_notation import Tune, parse_tune, split_tunes
from abc_reader import TOKEN, TUPLET

from mvae_lib.data.folk import BOOKS, TuneInfo, folk_melodies

FOLDERS = dict(zip(BOOKS, ("airdsAirs", "ryansMammoth", "oneills1850"), strict=True))

Notes = list[tuple[int | None, Fraction]]  # (MIDI pitch or None for a rest, quarter notes); rests in a row are one


def _in_music(change: Callable[[str], str]) -> Callable[[str], str]:
    def rewritten(text: str) -> str:
        lines, body = [], False
        for line in text.splitlines():
            is_field = FIELD.match(line)
            lines.append(change(without_comment(line)) if body and not is_field else line)
            body = body or bool(is_field and is_field[1] == "K")
        return "\n".join(lines) + "\n"

    return rewritten


def _without_texts(line: str) -> str:
    return re.sub(r'"[^"]*"|![\w.+<>():]+!|\[\|\]', "", line)


def _without_letters(line: str) -> str:
    parts = re.split(r'("[^"]*"|\[[A-Z]:[^\]]*\])', line)
    return "".join(part if i % 2 else re.sub(r"[.~H-Wh-w]", "", part) for i, part in enumerate(parts))


def _propagating(text: str) -> str:
    return "%abc-2.1\n%%propagate-accidentals octave\n" + text


def _tokens(line: str) -> Iterator[re.Match]:
    position = 0
    while position < len(line):
        match = TUPLET.match(line, position) or TOKEN.match(line, position)
        yield match
        position = match.end()


def _explicit_repeats(text: str) -> str:
    """Every repeat with its `|:`, and none where nothing is repeated.

    music21 takes a repeat without `|:` back to the beginning of the tune, and gives up at a `|:` without a repeat.
    """
    out: list[str] = []
    body, start, notes = False, None, 0  # `start` is the place in `out` of the section's first sign
    for line in undo_mail_and_plus_signs(text).splitlines():
        field = FIELD.match(line)
        if field or not body:
            body = body or bool(field and field[1] == "K")
            if field and field[1] == "P" and notes:
                start, notes = None, 0
            out.append(line + "\n")
            continue
        for token in _tokens(without_comment(line)):
            names = token.groupdict()
            bar, ending = names.get("bar"), names.get("ending") or ""
            if not bar:
                if names.get("letter") or names.get("rest") or names.get("chord") or names.get("p"):
                    start, notes = len(out) if start is None else start, notes + 1
                out.append(token[0])
            elif bar == "|":
                out.append(token[0])
            else:
                repeat_end = bool(notes) if bar in (":", ":]") else ":|" in bar or bar.startswith("::")
                if repeat_end and start is not None:
                    out[start] = "|:" + out[start].removeprefix("|:")
                out.append((":|" if repeat_end else "||" if notes else " ") + ending + " ")
                if not ending:
                    start, notes = None, 0
        out.append("\n")
    return "".join(out)


REWRITINGS = {
    # it knows neither what e-mail does to text nor the chords of the oldest dialect
    "mail and plus signs": undo_mail_and_plus_signs,
    # music21 takes files without a version line for ABC 1.3, where an accidental holds for its own note only
    "accidentals": _propagating,
    # it loses a note after H (a fermata) and the > or < beside other ornaments
    "ornaments": _in_music(_without_letters),
    # it reads "D.C.", "Segno" and the like as orders, and loses the > beside a text
    "texts": _in_music(_without_texts),
    # it loses the > or < beside a grace note
    "graces": _in_music(lambda line: re.sub(r"\{[^}]*\}", "", line)),
    # it loses the > or < beside a slur
    "slurs": _in_music(lambda line: re.sub(r"\((?!\d)|\)", "", line)),
    # it loses the > or < beside a tie (which is a slur by another name when the pitches differ)
    "ties": _in_music(lambda line: re.sub(r"-([<>]+)|([<>]+)-", r"\1\2", line)),
    # it reads 3// as 3/2
    "lengths": _in_music(lambda line: re.sub(r"(?<=\d)//(?!\d)", "/4", line)),
    # it loses x, a rest that is not printed
    "rests": _in_music(lambda line: re.sub(r"x", "z", line)),
    "repeats": _explicit_repeats,
}


def music21_notes(text: str, rewritings: Iterable[str] = ()) -> Notes:
    """The notes as music21 plays them: grace notes left out, the top notes of chords, ties joined."""
    from music21 import converter

    for name in REWRITINGS:
        if name in rewritings:
            text = REWRITINGS[name](text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        part = converter.parse(text, format="abc", forceSource=True).parts[0]
        return _of_stream(part.expandRepeats())


def _of_stream(part) -> Notes:
    from music21 import chord, harmony

    notes, tied = [], False
    for element in part.recurse().notesAndRests:
        if isinstance(element, harmony.Harmony) or element.duration.isGrace:
            continue
        top = max(element.notes, key=lambda note: note.pitch.midi) if isinstance(element, chord.Chord) else element
        pitch, length = None if element.isRest else top.pitch.midi, Fraction(element.quarterLength)
        if notes and notes[-1][0] == pitch and (tied or pitch is None):
            length += notes.pop()[1]
        notes.append((pitch, length))
        tie = element.tie or top.tie
        tied = tie is not None and tie.type in ("start", "continue")
    return notes


def notes_of(tune: Tune) -> Notes:
    """The same of our own tune, as played."""
    notes, now = [], Fraction(0)
    for note in tune.notes:
        notes += [(None, note.onset - now)] * (note.onset > now) + [(note.pitch, note.duration)]
        now = note.onset + note.duration
    end = tune.bars[-1].onset + tune.bars[-1].length
    return notes + [(None, end - now)] * (end > now)


def agrees(text: str, ours: Notes, rewritings: Iterable[str]) -> bool:
    """True where music21 plays the rewritten tune as we play the tune; False also where it gives up."""
    from music21.exceptions21 import Music21Exception

    try:
        return music21_notes(text, rewritings) == ours
    except Music21Exception:
        return False


def reasons(text: str) -> tuple[str, ...] | None:
    """The rewritings that make music21 agree, () when it agrees as it is, None when none does."""
    ours = notes_of(parse_tune(text))
    for few in [(), *((name,) for name in REWRITINGS)]:
        if agrees(text, ours, few):
            return few
    if not agrees(text, ours, REWRITINGS):
        return None
    needed = list(REWRITINGS)
    for name in REWRITINGS:
        fewer = [other for other in needed if other != name]
        if agrees(text, ours, fewer):
            needed = fewer
    return tuple(needed)


def sample(book: str, n: int) -> dict[int, tuple[TuneInfo, str]]:
    """`n` tunes of a book that the parser reads, chosen by a seed, as {index in the manifest: (row, ABC text)}."""
    folder = Path(find_spec("music21").origin).parent / "corpus" / FOLDERS[book]
    paths = sorted(folder.glob("*.abc"), key=lambda path: path.name)
    texts = [text for path in paths for text in split_tunes(path.read_text(encoding="utf-8"))]
    rows = [(index, tune) for index, tune in enumerate(folk_melodies().tunes) if tune.book == book]
    tunes = [(index, (tune, text)) for (index, tune), text in zip(rows, texts, strict=True)]
    readable = [pair for pair in tunes if not pair[1][0].outcome.startswith("unreadable")]
    return dict(Random(21).sample(readable, n))


if __name__ == "__main__":
    for book in sys.argv[2:] or BOOKS:
        found = {index: (tune, reasons(text)) for index, (tune, text) in sample(book, int(sys.argv[1])).items()}
        for index, (tune, why) in sorted(found.items()):
            if why != ():
                print(f"    {index}: {why},  # {tune.title}")
        print(book, Counter(why for _, why in found.values()), flush=True)
