"""Reads thousands of damaged ABC texts: each must give notes or one AbcError, in a moment.

    python tools/fuzz_abc.py [3000] [--seed 0]

Prints how many were read, how many were refused, what else happened (with the text's number, to do it again), the
slowest text and the memory that Python held at its peak. The exit status is 1 where anything else happened.
"""

import argparse
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "datasets" / "folk_melodies")]

from abc_fields import AbcError  # noqa: E402
from abc_notation import parse_tune, split_tunes  # noqa: E402
from windows import runs  # noqa: E402

SEEDS = (
    "X:1\nT:A Hypothetical Reel\nM:C|\nL:1/8\nK:D\nde|f2 fe d2 B2|(3ABA F2 A4:|\n",
    "M:4/4\nL:1/4\n\nX:1\nT:one\nK:C\nCDEF|\n\nfree text\n\nX:2\nT:two\nZ:Ann\nK:Dm treble-8\nD2A2|Z2|d4|]\n",
    "%abc-2.1\nX:7\nT:Repeats\nM:2/4\nL:1/16\nK:Gmix ^f\n|:G2A2 B2c2|[1 d4 c4:|[2-3 B8|]\nP:B\n|1,3 e8:|2 f8||\n",
    'X:3\nT:Signs\nM:6/8\nK:A exp ^c _b\n{ag}a>b !trill!c\'<d|"Am"[ACE]2 (5:4:3efgab +fermata+a-|a3 z3/2 x/4|\n',
    "X:4\nT:Voice\nM:3/4\nL:1/8\nK:HP\nV:1 clef=bass octave=-1\n[V:1]A2[M:4/4][L:1/16]B2`c2 =\nd4\\\n_e__f^^g=a|\n",
    "X:5\nT:Old\nM:4/4\nL:1/4\nK:none\n+CEG+ +trill+D !E F! G|w:la la\n+:la\n%%begintext\nAbe\n%%endtext\nC,,c''|]\n",
)
PIECES = (
    *"|:[]()<>-!+%{}\"'^_=/0123456789,~.ZzXxyABCabcKLMVPTQ\n \\\ufeff\x00é",
    "[1-",
    "(3:",
    ":|",
    "K:",
    "V:2",
    "\n\n",
    "9" * 30,
)


@dataclass
class Report:
    """What became of the texts."""

    outcomes: Counter = field(default_factory=Counter)  # "read", "refused", and every other exception by name
    others: list[str] = field(default_factory=list)  # the number of the text and the exception
    slowest: float = 0.0  # seconds
    slowest_text: int = 0


def mutant(number: int, seed: int = 0) -> str:
    """The text `number`: one of the seeds with 1 to 4 changes."""
    random = Random(f"{seed} {number}")
    text = random.choice(SEEDS)
    for _ in range(random.randint(1, 4)):
        text = random.choice(CHANGES)(text, random)
    return text


def _cut(text: str, random: Random) -> str:
    start = random.randrange(len(text) + 1)
    return text[:start] + text[start + random.randint(1, 12) :]


def _insert(text: str, random: Random) -> str:
    place = random.randrange(len(text) + 1)
    return text[:place] + random.choice(PIECES) + text[place:]


def _replace(text: str, random: Random) -> str:
    place = random.randrange(len(text) + 1)
    return text[:place] + random.choice(PIECES) + text[place + 1 :]


def _repeat(text: str, random: Random) -> str:
    start = random.randrange(len(text) + 1)
    end = start + random.randint(1, 20)
    return text[:start] + text[start:end] * random.choice((2, 3, 50, 500)) + text[end:]


def _swap_lines(text: str, random: Random) -> str:
    lines = text.split("\n")
    random.shuffle(lines)
    return "\n".join(lines)


CHANGES: tuple[Callable[[str, Random], str], ...] = (_cut, _insert, _insert, _replace, _replace, _repeat, _swap_lines)


def read(text: str) -> None:
    """Everything that the builder of the data set does with a text. Raises AbcError."""
    for tune in split_tunes(text):
        runs(parse_tune(tune))


def fuzz(texts: int, seed: int = 0) -> Report:
    """Read the mutants 0 to `texts` - 1."""
    report = Report()
    for number in range(texts):
        text = mutant(number, seed)
        start = time.perf_counter()
        try:
            read(text)
            outcome = "read"
        except AbcError:
            outcome = "refused"
        except Exception as error:
            outcome = type(error).__name__
            report.others.append(f"text {number}: {outcome}: {str(error)[:200]}")
        report.outcomes[outcome] += 1
        if (seconds := time.perf_counter() - start) > report.slowest:
            report.slowest, report.slowest_text = seconds, number
    return report


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("texts", type=int, nargs="?", default=3000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    report = fuzz(arguments.texts, arguments.seed)
    tracemalloc.start()  # it slows everything down: so not while the time is taken
    fuzz(arguments.texts, arguments.seed)
    peak = tracemalloc.get_traced_memory()[1]
    for outcome, count in sorted(report.outcomes.items()):
        print(f"{outcome:10} {count:6,}")
    print(f"slowest    {report.slowest:.2f} s (text {report.slowest_text}), memory at the peak {peak / 1e6:.0f} MB")
    print(*report.others[:20], sep="\n", end="\n" if report.others else "")
    return 1 if report.others else 0


if __name__ == "__main__":
    sys.exit(main())
