"""The command line: `python -m mvae_lib COMMAND`, for people without a notebook.

This module parses the options; what the commands do is in `mvae_lib.cli`. An error in the input ends with exit code 2
and one line on stderr that says what to do. A traceback is a defect of the library.
"""

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import fill
from typing import NoReturn

from mvae_lib.data.splits import SPLITS
from mvae_lib.models.config import list_configs
from mvae_lib.music.files import printable

_PROGRAM = "python -m mvae_lib"
_EXAMPLES = {
    "train": "train mel_2bar --data tunes --out runs/mine --updates 1000 --seed 1",
    "evaluate": "evaluate runs/mine --data tunes --json mine.json",
    "sample": "sample runs/mine --n 4 --temperature 0.8 --seed 1 --out samples --wav",
    "reconstruct": "reconstruct runs/mine tune.mid --track 1 --out reconstructed",
    "interpolate": "interpolate runs/mine tune.mid another.mid --points 7 --out between --wav",
    "info": "info hierdec-mel_16bar --json",
}
_MAX_SEED = 2**63 - 1
_CLOSED_PIPE = 141  # as a shell reports a program that SIGPIPE has ended


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; `arguments` (None: of the process) as after `python -m mvae_lib`.

    Raises SystemExit: with code 2 for an error in the input, with 130 where the user stops it, with 0 after `--help`.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names out of files hold characters that not every terminal has
            stream.reconfigure(errors="backslashreplace")
    options = vars(_parser().parse_args(arguments))
    command = options.pop("command")
    if options.get("show_list") is False and options["out"] is None:
        _leave(2, f"{_PROGRAM} {command}: error: name a folder with --out, or see what a file holds with --list")
    from mvae_lib import cli as commands  # not above: torch takes seconds to import, and --help needs none of it

    try:
        getattr(commands, command)(**options)
        sys.stdout.flush()
    except (commands.CommandError, commands.CheckpointError) as error:
        _leave(2, f"{_PROGRAM} {command}: error: {error}")
    except ModuleNotFoundError as error:  # on a training machine, for the commands that write MIDI
        _leave(2, f"{_PROGRAM} {command}: error: this command needs {error.name}; install it with pip")
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python prints no error at exit
        sys.exit(_CLOSED_PIPE)
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}; is the path right, may you use it, and is there space left?"
        _leave(2, f"{_PROGRAM} {command}: error: {reason if error.strerror else error}")
    except KeyboardInterrupt:
        _leave(130, f"{_PROGRAM} {command}: stopped")


def _leave(code: int, message: str) -> NoReturn:
    print(printable(message, None), file=sys.stderr)
    sys.exit(code)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, where argparse would print the usage as well."""
        _leave(2, f"{self.prog}: error: {message} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=_PROGRAM,
        description="Train, measure and play MusicVAE models.",
        epilog=_epilog(*_EXAMPLES) + f"\n\nMore about one command: {_PROGRAM} COMMAND --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, summary: str, details: str = "") -> argparse.ArgumentParser:
        return subparsers.add_parser(
            name,
            help=summary,
            description=fill(f"{summary[0].upper()}{summary[1:]}. {details}", 100),
            epilog=_epilog(name),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    train = command(
        "train",
        "train a named configuration on the folk melodies or on your own MIDI files",
        "Windows have as many bars as the configuration asks; the folk melodies have 2 or 16. A run may be stopped at "
        "any time, by Ctrl-C or otherwise: the same command resumes from the last checkpoint.",
    )
    train.add_argument("name", metavar="NAME", help="a configuration without a control signal (see info)")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the checkpoint")
    _add_data(train, "train on its training part")
    train.add_argument("--bars", type=_whole(1), metavar="N", help="bars per window (default: as configured)")
    train.add_argument("--updates", type=_whole(1), metavar="N", help="updates in all (default: as configured)")
    train.add_argument("--seed", type=_whole(0, _MAX_SEED), metavar="S", help="of all random numbers (default: 0)")
    train.add_argument(
        "--every", type=_whole(1), default=500, metavar="N", help="updates between two checkpoints (%(default)s)"
    )
    train.add_argument("--resume", action="store_true", help="resume the run in DIR, which must exist")
    _add_device(train)

    evaluate = command(
        "evaluate",
        "measure a model on a whole split of the folk melodies or of your own MIDI files",
        "The table compares the model with baselines that ignore the window. Each source has a column: the books of "
        "the folk melodies, the sub-folders of a folder.",
    )
    _add_checkpoint(evaluate)
    _add_data(evaluate, "measure on this folder")
    evaluate.add_argument("--split", choices=SPLITS, default="test", help="which windows (default: %(default)s)")
    evaluate.add_argument(
        "--samples",
        type=_whole(1),
        default=16,
        metavar="K",
        help="samples of z per window, for the bounds (%(default)s)",
    )
    evaluate.add_argument(
        "--json", type=Path, dest="json_file", metavar="FILE", help="write the numbers to this file, too"
    )
    _add_seed(evaluate)
    _add_device(evaluate)

    sample = command("sample", "write new music, decoded from samples of the prior")
    _add_checkpoint(sample)
    sample.add_argument("--n", type=_whole(1), default=4, metavar="N", help="how many samples (%(default)s)")
    _add_sampling(sample)
    _add_output(sample, required=True)

    reconstruct = command(
        "reconstruct",
        "encode the music of a MIDI file and decode it again",
        "Each distinct window of the file, one bar after another, is written as it was and as the model reconstructs "
        "it from mu, free-running.",
    )
    _add_checkpoint(reconstruct)
    reconstruct.add_argument("file", type=Path, metavar="FILE", help="MIDI or MusicXML, in 4/4 or 2/2")
    reconstruct.add_argument("--track", type=_whole(0), metavar="N", help="windows of this track only (see --list)")
    reconstruct.add_argument("--bar", type=_whole(1), metavar="N", help="the window that begins at this bar only")
    reconstruct.add_argument(
        "--n", type=_whole(1), default=32, metavar="N", help="write at most so many windows (default: %(default)s)"
    )
    _add_list(reconstruct)
    _add_sampling(reconstruct)
    _add_output(reconstruct)

    interpolate = command(
        "interpolate",
        "write a latent interpolation between two windows",
        "The path leads from mu of a window of A to mu of a window of B: the first ones, or those that are chosen.",
    )
    _add_checkpoint(interpolate)
    interpolate.add_argument("a", type=Path, metavar="A", help="where the path begins: MIDI or MusicXML")
    interpolate.add_argument("b", type=Path, metavar="B", help="where it ends")
    for name, least, what in (("--track", 0, "the track to take"), ("--bar", 1, "the bar at which the window begins")):
        interpolate.add_argument(
            name,
            type=_whole(least),
            nargs="+",
            action=_ForBoth,
            default=[None, None],
            metavar="N",
            help=f"{what}: one number for both files, or two",
        )
    interpolate.add_argument(
        "--points", type=_whole(2), default=7, metavar="N", help="points, both ends included (%(default)s)"
    )
    interpolate.add_argument(
        "--path", choices=("slerp", "lerp"), default="slerp", help="an arc or a straight line (default: %(default)s)"
    )
    _add_list(interpolate)
    _add_sampling(interpolate)
    _add_output(interpolate)

    info = command("info", "print the settings of a named configuration, or the metadata of a checkpoint")
    info.add_argument("name", metavar="NAME", help="a checkpoint's folder, or a configuration")
    info.add_argument("--json", action="store_true", dest="as_json", help="print one JSON object")
    return parser


class _ForBoth(argparse.Action):
    """One number for both files, or one for each."""

    def __call__(self, parser, namespace, values, option_string=None):
        if len(values) > 2:
            parser.error(f"{option_string} takes one number for both files, or two, not {len(values)}")
        setattr(namespace, self.dest, values if len(values) == 2 else values * 2)


def _epilog(*commands: str) -> str:
    lines = (f"  {_PROGRAM} {_EXAMPLES[command]}" for command in commands)
    configurations = fill(
        ", ".join(list_configs()), 100, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
    )
    return "\n".join(["examples:", *lines, "", "configurations:", configurations])


def _add_checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help="the folder of a trained model, or a shipped one: mel_2bar"
    )


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed", type=_whole(0, _MAX_SEED), default=0, metavar="S", help="of all random numbers (%(default)s)"
    )


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="cuda is an NVIDIA or AMD GPU (default: %(default)s)"
    )


def _add_data(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help=f"a folder of MIDI files: {what} (default: the folk melodies)"
    )


def _add_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--list", action="store_true", dest="show_list", help="show tracks and windows of the file, and write nothing"
    )


def _add_sampling(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--temperature",
        type=_number(0.01, 100),  # beyond these, the softmax is one-hot or uniform
        metavar="T",
        help="sample each step: below 1 a sharper distribution, above 1 a flatter one (default: greedy decoding)",
    )
    parser.add_argument(
        "--top-p",
        type=_number(0.001, 1),
        metavar="P",
        help="sample among the most likely classes, whose probabilities reach P together",
    )
    _add_seed(parser)


def _add_output(parser: argparse.ArgumentParser, required: bool = False) -> None:
    parser.add_argument("--out", type=Path, required=required, metavar="DIR", help="folder for the MIDI files")
    parser.add_argument("--wav", action="store_true", help="write everything as sound, too")


def _whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """A type of option: whole numbers from `least` to `most` (None: no limit)."""

    def parse(text: str) -> int:
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
        if number < least or (most is not None and number > most):
            limit = f" and at most {most}" if most is not None else ""
            raise argparse.ArgumentTypeError(f"a whole number of at least {least}{limit} is needed, not {text!r}")
        return number

    return parse


def _number(least: float, most: float) -> Callable[[str], float]:
    """A type of option: numbers from `least` to `most`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"a number from {least} to {most} is needed, not {text!r}")
        return value

    return parse


if __name__ == "__main__":
    main()
