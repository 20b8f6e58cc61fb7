"""The command line: what it writes parses back, seeds reproduce it, mistakes end in one line that says what to do."""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import wave
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from midi_folders import tunes, write_broken, write_tunes
from toy_representation import TOY

from mvae_lib import cli, training
from mvae_lib.__main__ import main
from mvae_lib.data.folk import data_folder, folk_melodies
from mvae_lib.data.midi_folder import midi_folder
from mvae_lib.evaluation.metrics import accuracy
from mvae_lib.evaluation.report import load
from mvae_lib.latent import lerp, slerp
from mvae_lib.models.config import Configuration, ModelConfig, TrainingConfig, from_dict, get_config, list_configs
from mvae_lib.models.musicvae import MusicVAE
from mvae_lib.music.melody import is_note_on, tokens_to_notes
from mvae_lib.music.midi import midi_to_tokens, notes_to_midi, read_midi, tokens_to_midi, write_midi
from mvae_lib.music.representation import REPRESENTATIONS
from mvae_lib.pretrained import load_pretrained
from mvae_lib.training import loop
from mvae_lib.training.checkpoints import CheckpointMetadata, load_model, read_metadata, save_model

ROOT = Path(__file__).resolve().parents[1]
SMALL = ModelConfig(z_size=8, encoder_units=12, decoder_units=12, decoder_layers=1, scaled_init=True)
TUNE = np.tile([41, 0, 43, 1, 45, 46, 0, 0], 4).astype(np.uint8)  # two bars
ABSENT = ("pretty_midi", "mido", "music21", "matplotlib", "ipywidgets", "anywidget", "IPython", "sklearn", "scipy")
COMMANDS = ("train", "evaluate", "sample", "reconstruct", "interpolate", "info")


@pytest.fixture(autouse=True)
def numbers_as_other_tests_have_them():
    """`train` flushes denormal numbers to 0, in the whole process."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def save_small(folder: Path, config: ModelConfig = SMALL, data_sha256: str | None = None) -> Path:
    model = MusicVAE(config, torch.Generator().manual_seed(0))
    with torch.no_grad():  # a model that has learnt nothing writes one and the same class for ever
        for name, parameter in model.named_parameters():
            parameter *= 3 if name.startswith("decoder") else 1
    configuration = Configuration("small", config, TrainingConfig())
    save_model(folder, model, CheckpointMetadata(configuration, 3, 7, data_sha256, {"loss": 1.5}))
    return folder


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    return save_small(tmp_path / "model")


@pytest.fixture
def tune(tmp_path) -> Path:
    path = tmp_path / "tune.mid"
    write_midi(tokens_to_midi(TUNE), path)
    return path


def run(*arguments: object) -> None:
    main([str(argument) for argument in arguments])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def tokens_in(path: Path, steps: int = 32) -> np.ndarray:
    return midi_to_tokens(read_midi(path), steps)


def child(*arguments: object, code: str | None = None) -> subprocess.CompletedProcess:
    """A process of its own: `python -m mvae_lib`, or some code that calls it."""
    command = [sys.executable, *(["-m", "mvae_lib"] if code is None else ["-c", code]), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8")


# ---- help


def test_help_needs_no_torch_and_shows_an_example_of_each_command():
    without = "import sys; sys.modules['torch'] = None; from mvae_lib.__main__ import main; main()"
    result = child("--help", code=without)
    assert result.returncode == 0, result.stderr
    for command in COMMANDS:
        assert f"python -m mvae_lib {command} " in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_in_each_help_is_one_that_the_parser_takes(command, capsys, monkeypatch):
    with pytest.raises(SystemExit) as end:
        run(command, "--help")
    assert end.value.code == 0
    example = re.search(rf"^  python -m mvae_lib ({command} .*)", capsys.readouterr().out, re.M)[1]
    called = []
    monkeypatch.setattr(f"mvae_lib.cli.{command}", lambda **options: called.append(options))
    main(example.split())
    assert called


# ---- info


@pytest.mark.parametrize("name", list_configs())
def test_info_of_a_configuration_is_one_object_with_its_parameters(name, capsys):
    run("info", name, "--json")
    facts = json.loads(capsys.readouterr().out)
    assert from_dict({key: facts[key] for key in ("name", "model", "training")}) == get_config(name)
    assert facts["kind"] == "configuration"
    if name == "cat-mel_2bar_small":
        assert facts["parameters"] == 4_423_770
    if name == "hierdec-mel_16bar":
        assert facts["bars"] == 16 and facts["hierarchical"] and round(facts["parameters"] / 1e6, 1) == 176.1


def test_info_of_a_checkpoint_tells_its_facts_too(checkpoint, capsys):
    run("info", checkpoint, "--json")
    facts = json.loads(capsys.readouterr().out)
    assert facts["kind"] == "checkpoint"
    trained = (parameter for parameter in load_model(checkpoint).parameters() if parameter.requires_grad)
    assert facts["parameters"] == sum(parameter.numel() for parameter in trained)
    assert (facts["update"], facts["seed"], facts["metrics"]) == (3, 7, {"loss": 1.5})
    run("info", checkpoint)
    assert re.search(r"^parameters +\d+$", capsys.readouterr().out, re.M)


# ---- MIDI


@pytest.mark.parametrize("options", [(), ("--temperature", "0.9")])
def test_a_seed_reproduces_samples_and_another_gives_others(checkpoint, options):
    for out, seed in (("one", 1), ("same", 1), ("other", 2)):
        run("sample", checkpoint, "--n", 12, "--seed", seed, "--out", out, *options)
    assert sorted(contents(Path("one"))) == [f"sample-{number:02}.mid" for number in range(1, 13)]
    assert contents(Path("one")) == contents(Path("same"))
    assert contents(Path("one")) != contents(Path("other"))


def test_samples_are_what_the_library_draws(checkpoint):
    run("sample", checkpoint, "--n", 3, "--seed", 5, "--out", "out")
    expected = load_model(checkpoint).sample(3, torch.Generator().manual_seed(5)).numpy()
    assert is_note_on(expected).any()
    for number, tokens in enumerate(expected, 1):
        written = tokens_to_notes(tokens_in(Path(f"out/sample-{number}.mid")))
        assert written == tokens_to_notes(tokens)


def test_a_shipped_model_goes_by_its_name_unless_a_folder_has_it(checkpoint):
    run("sample", "mel_2bar", "--n", 2, "--seed", 5, "--out", "shipped")
    expected = load_pretrained("mel_2bar").sample(2, torch.Generator().manual_seed(5)).numpy()
    assert tokens_to_notes(tokens_in(Path("shipped/sample-1.mid"))) == tokens_to_notes(expected[0])
    shutil.copytree(checkpoint, "mel_2bar")
    run("sample", "mel_2bar", "--n", 2, "--seed", 5, "--out", "own")
    assert contents(Path("own")) != contents(Path("shipped"))


def test_more_melodies_than_are_decoded_at_once_are_all_written(checkpoint, monkeypatch):
    monkeypatch.setattr("mvae_lib.cli._BATCH", 2)
    run("sample", checkpoint, "--n", 5, "--temperature", 1, "--out", "out")
    assert len(set(contents(Path("out")).values())) == 5


def test_sound_is_written_beside_the_midi_and_lasts_two_bars(checkpoint):
    run("sample", checkpoint, "--n", 1, "--wav", "--out", "deep/er")
    with wave.open("deep/er/sample-1.wav") as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(4.0)  # 8 quarter notes at 120 a minute
    assert Path("deep/er/sample-1.mid").exists()


def test_each_window_of_a_file_is_written_as_it_was_and_as_it_is_reconstructed(checkpoint, capsys):
    music = np.concatenate([TUNE, np.where(TUNE > 1, TUNE + 2, TUNE)])  # four bars, of which the windows are two
    write_midi(tokens_to_midi(music), Path("long.mid"))
    run("reconstruct", checkpoint, "long.mid", "--out", "out")
    told = capsys.readouterr().out
    windows = np.stack([music[start : start + 32] for start in (0, 16, 32)])
    reconstruction = load_model(checkpoint).reconstruct(torch.from_numpy(windows)).numpy()
    for number, (window, other) in enumerate(zip(windows, reconstruction, strict=True), 1):
        assert (tokens_in(Path(f"out/long-{number}-original.mid")) == window).all()
        assert tokens_to_notes(tokens_in(Path(f"out/long-{number}-reconstruction.mid"))) == tokens_to_notes(other)
        assert f"from bar {number}: {(other == window).sum()} of 32 steps" in told
    assert f"all: {(reconstruction == windows).mean():.3f} of the steps" in told


def test_what_a_file_could_not_give_is_told(checkpoint, capsys):
    midi = tokens_to_midi(TUNE)
    midi.instruments.append(tokens_to_midi(TUNE[:16], name="short").instruments[0])
    write_midi(midi, Path("two.mid"))
    run("reconstruct", checkpoint, "two.mid", "--out", "out")
    assert "left out: instrument 1 (short): 8 notes in melodies shorter than a window" in capsys.readouterr().out


@pytest.mark.parametrize(("path", "way"), [("slerp", slerp), ("lerp", lerp)])
def test_the_way_leads_from_mu_of_one_melody_to_mu_of_the_other(checkpoint, tune, path, way):
    other = np.where(TUNE > 1, TUNE + 7, TUNE)
    write_midi(tokens_to_midi(other), Path("other.mid"))
    run("interpolate", checkpoint, tune, "other.mid", "--points", 5, "--path", path, "--out", "out")
    model = load_model(checkpoint)
    mu = model.encode(torch.from_numpy(np.stack([TUNE, other]))).mu
    expected = model.decode(way(mu[0], mu[1], torch.linspace(0, 1, 5))).numpy()
    for number, tokens in enumerate(expected, 1):
        assert tokens_to_notes(tokens_in(Path(f"out/point-{number}.mid"))) == tokens_to_notes(tokens)
    assert len(contents(Path("out"))) == 5


# ---- which window, and how it is decoded


@pytest.fixture
def song() -> tuple[Path, list[np.ndarray]]:
    """A file of two tracks with names that no terminal should obey, and the four bars of each."""
    bars = np.concatenate([TUNE, np.where(TUNE > 1, TUNE + 2, TUNE)])
    other = np.where(bars > 1, bars + 12, bars)
    midi = tokens_to_midi(bars, name="\x1b[2Jflute")
    midi.instruments += tokens_to_midi(other, name="音轨").instruments
    write_midi(midi, Path("song.mid"))
    return Path("song.mid"), [bars, other]


def test_a_list_shows_tracks_windows_and_reasons_and_writes_nothing(checkpoint, song, capsys):
    run("reconstruct", checkpoint, "song.mid", "--list")
    told = capsys.readouterr().out
    assert "\x1b" not in told and "flute" in told and "音轨" in told
    rows = re.findall(r"^(\d) .* (\d+)  +(\d): bars 1 to 3$", told, re.M)
    assert [(row[0], row[2]) for row in rows] == [("0", "3"), ("1", "3")]
    waltz()
    run("interpolate", checkpoint, "song.mid", "bad.mid", "--list")
    told = capsys.readouterr().out
    assert "song.mid" in told and "left out: it is in 3/4" in told


def test_track_and_bar_choose_the_window(checkpoint, song, capsys):
    _, (first, second) = song
    run("reconstruct", checkpoint, "song.mid", "--track", 1, "--bar", 2, "--out", "out")
    assert sorted(contents(Path("out"))) == ["song-1-original.mid", "song-1-reconstruction.mid"]
    assert (tokens_in(Path("out/song-1-original.mid")) == second[16:48]).all()
    run("reconstruct", checkpoint, "song.mid", "--track", 0, "--out", "track")
    assert (tokens_in(Path("track/song-3-original.mid")) == first[32:]).all()
    assert len(contents(Path("track"))) == 6
    run("interpolate", checkpoint, "song.mid", "song.mid", "--track", 0, 1, "--bar", 3, "--points", 2, "--out", "way")
    ends = torch.from_numpy(np.stack([first[32:], second[32:]]))
    expected = load_model(checkpoint).reconstruct(ends).numpy()
    for number in (1, 2):
        assert tokens_to_notes(tokens_in(Path(f"way/point-{number}.mid"))) == tokens_to_notes(expected[number - 1])
    capsys.readouterr()
    line = mistake(capsys, "reconstruct", checkpoint, "song.mid", "--track", 2, "--out", "no")
    assert "song.mid: track 2 has no window of 2 bars; these have: 0, 1" in line
    line = mistake(capsys, "reconstruct", checkpoint, "song.mid", "--track", 0, "--bar", 4, "--out", "no")
    assert "begins at bar 4; there are windows at bars 1 to 3" in line
    assert not Path("no").exists()


def test_a_long_file_gives_the_first_windows_and_says_how_many_there_are(checkpoint, song, capsys):
    run("reconstruct", checkpoint, "song.mid", "--n", 4, "--out", "out")
    assert len(contents(Path("out"))) == 8
    assert "2 more windows of 6 were not written" in capsys.readouterr().out


@pytest.mark.parametrize("options", [("--temperature", 1.5), ("--top-p", 0.9), ("--temperature", 2, "--top-p", 0.95)])
def test_reconstructions_and_ways_can_be_sampled_and_a_seed_reproduces_them(checkpoint, tune, song, options):
    for out, seed in (("one", 1), ("same", 1), ("other", 2)):
        run("reconstruct", checkpoint, "song.mid", "--seed", seed, "--out", f"{out}-r", *options)
        run("interpolate", checkpoint, tune, "song.mid", "--seed", seed, "--out", f"{out}-i", *options)
        run("sample", checkpoint, "--seed", seed, "--out", f"{out}-s", *options)
    for kind in "ris":
        assert contents(Path(f"one-{kind}")) == contents(Path(f"same-{kind}")) != contents(Path(f"other-{kind}"))


def test_names_that_a_terminal_cannot_show_and_a_reader_that_leaves_end_in_no_traceback(checkpoint, song):
    command = [sys.executable, "-m", "mvae_lib", "reconstruct", checkpoint, "song.mid"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "ascii"}
    shown = subprocess.run([*command, "--list"], env=environment, capture_output=True)
    assert shown.returncode == 0 and b"\\u97f3" in shown.stdout, shown.stderr
    read, write = os.pipe()
    os.close(read)
    left = subprocess.run([*command, "--out", "out"], env=environment, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert left.returncode == 141 and left.stderr == b""


# ---- a user's own files


@pytest.fixture
def folder(monkeypatch) -> Path:
    monkeypatch.setenv("MVAE_CACHE", "cache")
    melodies = tunes(32, bars=8)
    write_tunes(Path("tunes/jigs and reels"), melodies[:20])
    write_tunes(Path("tunes/airs"), melodies[20:])
    write_broken(Path("tunes"))
    return Path("tunes")


def test_a_model_is_trained_and_measured_on_a_folder(folder, capsys):
    line = ("train", "mel_2bar", "--data", folder, "--updates", 2, "--out", "mine")
    run(*line)
    told = capsys.readouterr()
    assert "32 of 35 files" in told.err
    data = midi_folder(folder, 2, workers=1, show_progress=False)
    assert f"{len(data.part('train')):,} windows" in told.out
    assert read_metadata("mine").data_sha256 == training.fingerprint(data.part("train").tokens)
    run(*line)
    assert "nothing to do" in capsys.readouterr().out
    run("evaluate", "mine", "--data", folder, "--samples", 1, "--json", "result.json")
    told = capsys.readouterr()
    assert "trained on other windows" not in told.err
    assert f"test: all {len(data.part('test'))} windows" in told.out
    assert json.loads(Path("result.json").read_text())["whole"]["windows"] == len(data.part("test"))
    for source in data.part("test").sources:
        assert re.search(rf"^ +all.* {source}", told.out, re.M)
    reason = mistake(capsys, "train", "mel_2bar_ae", "--data", folder, "--updates", 2, "--out", "mine", quiet=False)
    assert "another configuration" in reason


def test_a_folder_gives_windows_of_any_length(folder, capsys):
    run("train", "mel_2bar", "--data", folder, "--bars", 4, "--updates", 1, "--out", "four")
    assert load_model("four").config.steps == 64
    run("sample", "four", "--n", 1, "--out", "out")
    run("evaluate", "four", "--data", folder, "--split", "train", "--samples", 1)
    assert "windows of 64 steps" in capsys.readouterr().out


def test_bars_have_as_many_steps_as_the_music_has(monkeypatch, capsys):
    """A representation of two tracks and 8 steps per bar, in a configuration that says nothing of bars."""
    kind = replace(TOY, steps_per_bar=8, from_midi=lambda path, bars: TOY.from_midi(path, bars // 2))
    monkeypatch.setitem(REPRESENTATIONS, "toy", kind)
    monkeypatch.setenv("MVAE_CACHE", "cache")
    model = replace(SMALL, representation="toy", vocab_sizes=TOY.vocab_sizes)
    monkeypatch.setattr(cli, "get_config", lambda name: Configuration(name, model, TrainingConfig(batch=8)))
    rng = np.random.default_rng(0)
    Path("bells").mkdir()
    for number in range(30):
        steps = np.stack([rng.integers(0, 9, 32), rng.integers(0, 2, 32)], -1)
        (Path("bells") / f"{number}.mid").write_text("".join(map(str, steps.ravel())))
    run("train", "toy", "--data", "bells", "--bars", 2, "--updates", 20, "--out", "mine")
    told = capsys.readouterr()
    assert "60 windows of 2 bars" in told.err and "update 20: loss" in told.out
    assert load_model("mine").config.steps == 16
    run("evaluate", "mine", "--data", "bells", "--samples", 1)
    assert "windows of 16 steps" in capsys.readouterr().out
    run("info", "mine", "--json")
    assert json.loads(capsys.readouterr().out)["bars"] == 2
    run("sample", "mine", "--n", 3, "--out", "out")
    written = read_midi(Path("out/sample-1.mid"))
    assert {instrument.name for instrument in written.instruments} <= set(TOY.track_names)
    assert 2.0 < written.get_end_time() <= 4.0  # two bars of 2 s each


# ---- evaluation and training


def test_an_evaluation_is_of_the_whole_split_printed_and_kept(tmp_path, capsys):
    folder = save_small(tmp_path / "model", data_sha256="0" * 64)
    run("evaluate", folder, "--split", "validation", "--samples", 1, "--json", "result.json")
    told, data = capsys.readouterr(), folk_melodies(2, "validation")
    assert f"all {len(data):,} windows" in told.out
    assert "trained on other windows" in told.err
    result = load("result.json")
    assert (result.split, result.iwae_samples, result.whole.windows) == ("validation", 1, len(data))
    free = load_model(folder).reconstruct(torch.from_numpy(data.tokens)).numpy()
    assert result.whole.free_running == accuracy(free, data.tokens)


def test_a_run_that_is_stopped_goes_on_to_the_weights_of_one_that_is_not(monkeypatch, capsys):
    run("train", "mel_2bar", "--out", "unbroken", "--updates", 4, "--seed", 3)

    def stopped(*arguments, **options):
        yield from islice(training_loop(*arguments, **options), 3)
        raise KeyboardInterrupt

    training_loop = loop.train
    with monkeypatch.context() as patch:
        patch.setattr(loop, "train", stopped)
        with pytest.raises(SystemExit) as end:
            run("train", "mel_2bar", "--out", "broken", "--updates", 4, "--seed", 3, "--every", 2)
    assert end.value.code == 130
    assert read_metadata("broken").update == 2  # the third update had no checkpoint
    run("train", "mel_2bar", "--out", "broken", "--updates", 4, "--seed", 3)
    first, second = (load_model(folder).state_dict() for folder in ("unbroken", "broken"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    facts = read_metadata("broken")
    assert (facts.update, facts.seed, facts.configuration.model) == (4, 3, get_config("mel_2bar").model)
    assert facts.metrics["rate"] > 0

    before = contents(Path("broken"))
    capsys.readouterr()
    run("train", "mel_2bar", "--out", "broken", "--resume")
    assert "nothing to do" in capsys.readouterr().out
    assert contents(Path("broken")) == before
    for options, reason in (
        (("mel_2bar", "--resume", "--seed", 4, "--updates", 5), "seed 3"),
        (("cat-mel_2bar_small", "--resume", "--updates", 5), "another configuration"),
    ):
        assert reason in mistake(capsys, "train", *options, "--out", "broken")
    assert contents(Path("broken")) == before
    run("train", "mel_2bar", "--out", "broken", "--resume", "--updates", 5)
    assert read_metadata("broken").update == 5


def test_training_needs_no_midi_and_commands_that_do_say_so():
    code = f"""
import sys
sys.modules.update(dict.fromkeys({ABSENT}))
from mvae_lib.__main__ import main
main("train mel_2bar --out run --updates 1".split())
main("sample run --out out".split())
"""
    result = child(code=code)
    assert read_metadata("run").update == 1, result.stderr
    assert result.returncode == 2
    assert re.fullmatch(r"python -m mvae_lib sample: error: .* needs (mido|pretty_midi); install .*\n", result.stderr)


# ---- mistakes


def mistake(capsys, *arguments: object, quiet: bool = True) -> str:
    """The one line that a command says before it leaves with code 2 (not `quiet`: the last line)."""
    with pytest.raises(SystemExit) as end:
        run(*arguments)
    told = capsys.readouterr()
    assert end.value.code == 2
    assert told.out == ""
    line = told.err if quiet else told.err.splitlines()[-1] + "\n"
    assert re.fullmatch(r"python -m mvae_lib.*: error: .+\n", line)
    return line


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("", "required: COMMAND"),
        ("smaple model", "invalid choice: 'smaple'"),
        ("sample model", "required: --out"),
        ("sample model --out out --n 0", "at least 1 is needed, not '0'"),
        ("sample model --out out --n many", "not 'many'"),
        ("sample model --out out --seed -1", "not '-1'"),
        ("sample model --out out --seed 9223372036854775808", "at most"),
        ("sample model --out out --temperature 0", "from 0.01"),
        ("sample model --out out --temperature nan", "from 0.01"),
        ("sample model --out out --temperature hot", "not 'hot'"),
        ("sample model --out out --volume 3", "unrecognized arguments: --volume 3"),
        ("interpolate model tune.mid tune.mid --points 1 --out out", "at least 2"),
        ("interpolate model tune.mid tune.mid --track 1 2 3 --out out", "or two, not 3"),
        ("sample model --out out --top-p 1.5", "from 0.001 to 1"),
        ("reconstruct model tune.mid --bar 0 --out out", "at least 1"),
        ("evaluate model --split dev", "choose from"),
    ],
)
def test_options_that_make_no_sense(arguments, reason, capsys):
    line = mistake(capsys, *arguments.split())
    assert reason in line
    assert "--help" in line


def broken_midi() -> None:
    Path("bad.mid").write_bytes(b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\1\0\0\x90")


def waltz() -> None:
    midi = tokens_to_midi(TUNE)
    midi.time_signature_changes[0].numerator = 3
    write_midi(midi, "bad.mid")


def one_bar() -> None:
    write_midi(tokens_to_midi(TUNE[:16]), "bad.mid")


def no_note() -> None:
    write_midi(notes_to_midi([]), "bad.mid")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (broken_midi, "ends in the middle of an event"),
        (waltz, "in 3/4 throughout: 12 steps per bar"),
        (one_bar, "has 1 of the 2 bars"),
        (no_note, "no notes"),
        (lambda: Path("bad.mid").write_bytes(b""), "empty"),
        (lambda: Path("bad.mid").mkdir(), "folder"),
        (lambda: None, "no such file"),
    ],
)
def test_music_that_cannot_be_used(make, reason, checkpoint, tune, capsys):
    make()
    for arguments in (("reconstruct", checkpoint, "bad.mid"), ("interpolate", checkpoint, tune, "bad.mid")):
        line = mistake(capsys, *arguments, "--out", "out")
        assert "bad.mid: " in line
        assert reason in line
    assert not Path("out").exists()


def cut_short() -> None:
    (path,) = save_small(Path("bad")).glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-100])


def without_facts() -> None:
    (save_small(Path("bad")) / "checkpoint.json").unlink()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: None, "cannot be read"),
        (lambda: Path("bad").write_bytes(pickle.dumps({"weights": [1.0]})), "pickles"),
        (without_facts, "cannot be read"),
        (cut_short, "cut short"),
        (lambda: save_small(Path("bad"), replace(SMALL, vocab_sizes=(512,))), "tracks of 512 classes"),
        (lambda: save_small(Path("bad"), replace(SMALL, control=3)), "control signal of 3"),
        (lambda: save_small(Path("bad"), replace(SMALL, steps=20)), "no whole bars"),
    ],
)
def test_checkpoints_that_cannot_be_used(make, reason, tune, capsys):
    make()
    for arguments in (
        ("sample", "bad", "--out", "out"),
        ("reconstruct", "bad", tune, "--out", "out"),
        ("interpolate", "bad", tune, tune, "--out", "out"),
        ("evaluate", "bad"),
    ):
        line = mistake(capsys, *arguments)
        assert reason in line
        assert "bad" in line
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("reconstruct model tune.mid", "name a folder with --out, or see what a file holds with --list"),
        ("train mel_3bar --out out", "there are: cat-mel_2bar_small"),
        ("train hierdec-trio_16bar --out out", "trio"),
        ("train cat-mel_2bar_med_chords --out out", "control signal"),
        ("train mel_2bar --out out --updates 1 --resume", "leave out --resume"),
        ("train mel_2bar --out model --updates 1", "a model alone"),
        ("train mel_2bar --out model --resume", "a model alone"),
        ("train mel_2bar --out tune.mid", "tune.mid"),
        ("train mel_2bar --out out --updates 1 --device cuda", "leave out --device"),
        ("info mel_3bar --json", "there are: cat-mel_2bar_small"),
        ("info tune.mid", "checkpoint is a folder"),
        ("sample model --out tune.mid", "tune.mid"),
        ("evaluate model --json nowhere/result.json", "create it first"),
        ("evaluate one_bar", "windows of 2 and 16 bars only"),
        ("train mel_2bar --bars 3 --out out", "windows of 2 and 16 bars only"),
        ("train mel_2bar --data nowhere --out out", "no folder nowhere"),
        ("evaluate model --data tune.mid", "is a file"),
    ],
)
def test_names_and_folders_that_cannot_be_used(arguments, reason, checkpoint, tune, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    save_small(Path("one_bar"), replace(SMALL, steps=16))
    before = contents(checkpoint)
    assert reason in mistake(capsys, *arguments.split())
    assert contents(checkpoint) == before
    assert not Path("out").exists()


def test_a_damaged_data_file_is_named(checkpoint, capsys, monkeypatch):
    shutil.copytree(data_folder(), "data")
    path = Path("data/folk_melodies.npz")
    path.write_bytes(path.read_bytes()[:-1])
    monkeypatch.setattr("mvae_lib.data.folk.data_folder", lambda: Path("data"))
    for arguments in (("evaluate", checkpoint), ("train", "mel_2bar", "--out", "out")):
        assert "folk_melodies.npz is damaged" in mistake(capsys, *arguments)


def test_a_mistake_of_ours_keeps_its_traceback(checkpoint, monkeypatch):
    monkeypatch.setattr(MusicVAE, "sample", lambda *arguments, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("sample", checkpoint, "--out", "out")


def test_a_process_says_one_line_and_leaves_with_2(checkpoint):
    waltz()
    result = child("reconstruct", checkpoint, "bad.mid", "--out", "out")
    assert result.returncode == 2
    assert result.stdout == ""
    assert re.fullmatch(r"python -m mvae_lib reconstruct: error: bad.mid: .*3/4.*\n", result.stderr)


def test_a_file_of_a_very_long_name_gives_files_of_names_that_a_system_takes(checkpoint, capsys):
    name = "长" * 70 + "x" * 20  # 230 bytes
    write_midi(tokens_to_midi(TUNE), Path(f"{name}.mid"))
    run("reconstruct", checkpoint, f"{name}.mid", "--out", "out")
    written = sorted(path.name for path in Path("out").iterdir())
    assert len(written) % 2 == 0 and all(file.startswith("长" * 50 + "-") for file in written)
