"""The shipped models: that they load, that they are small, and that their cards are true."""

import json
import subprocess
import sys
from dataclasses import fields

import pytest
import torch

from mvae_lib.data.folk import folk_melodies
from mvae_lib.evaluation import report
from mvae_lib.models.config import get_config
from mvae_lib.models.musicvae import count_parameters
from mvae_lib.pretrained import FOLDER, NAMES, card, load_pretrained
from mvae_lib.training.checkpoints import read_metadata
from mvae_lib.training.loop import fingerprint
from tools import results
from tools.pretrain import ROOT, SAMPLE, SEED, additions, measure

MIB = 2**20


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


def test_the_card_holds_what_the_model_does(name):
    told, model = card(name), load_pretrained(name)
    bars = model.config.bars
    test = folk_melodies(bars, "test")
    config = get_config(name).training
    seen = measure(model, test.sample(SAMPLE, SEED).tokens, config, config.free_bits)
    for figure in ("loss", "distortion", "rate"):
        assert seen[figure] == pytest.approx(told["sample"][figure], rel=0.01), figure
    for figure in ("step", "onset"):
        assert seen[figure] == pytest.approx(told["sample"][figure], abs=0.01), figure
    # A sample of the split agrees with the whole of it, which no test measures again, as far as a sample can.
    whole = report.from_dict(told["test"]).whole
    assert whole.windows == len(test)
    assert seen["onset"] == pytest.approx(whole.free_running.onset, abs=0.06)
    assert seen["rate"] == pytest.approx(whole.rate_bits * 0.6931, rel=0.1)


def test_the_card_tells_how_the_model_was_made(name):
    told, facts, model = card(name), read_metadata(FOLDER / name), load_pretrained(name)
    assert facts.configuration == get_config(name), "the command of the card would train another model"
    assert told["command"] == f"make train-{name}"
    assert told["parameters"] == count_parameters(model)
    train = folk_melodies(model.config.bars, "train")
    assert told["data_sha256"] == facts.data_sha256 == fingerprint(train.tokens)
    curve = told["curve"]
    assert [point["update"] for point in curve] == sorted(point["update"] for point in curve)
    assert curve[-1]["update"] == told["updates"] == get_config(name).training.updates
    whole = [point for point in curve if point.get("bars", model.config.bars) == model.config.bars]
    best = min(whole, key=lambda point: point["validation"]["loss"])
    assert best["update"] == told["update"] == facts.update, "chosen on the validation split"


def test_half_precision_costs_next_to_nothing(name):
    costs = card(name)["float16_costs"]
    assert abs(costs["onset_free_running"]) < 0.002
    assert abs(costs["elbo_nats"]) < 0.1


def test_the_files_are_small_enough_to_clone():
    sizes = {path: path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()}
    assert max(sizes.values()) < 12 * MIB
    assert sum(sizes.values()) < 40 * MIB


def test_the_matched_models_differ_in_the_decoder_alone():
    flat, hierarchical = (read_metadata(FOLDER / name) for name in ("mel_16bar_flat", "mel_16bar_hier"))
    ours, theirs = flat.configuration, hierarchical.configuration
    assert ours.training == theirs.training
    decoder = {"decoder_units", "conductor_units", "conductor_layers"}
    assert not ours.model.hierarchical and theirs.model.hierarchical
    assert all(
        getattr(ours.model, key.name) == getattr(theirs.model, key.name)
        for key in fields(ours.model)
        if key.name not in decoder
    )
    counts = [card(name)["parameters"] for name in ("mel_16bar_flat", "mel_16bar_hier")]
    assert max(counts) / min(counts) < 1.02
    assert flat.data_sha256 == hierarchical.data_sha256


def test_no_model_called_hierarchical_has_more_than_the_conductor_of_the_paper():
    model = get_config("mel_16bar_hier").model
    assert model.hierarchical and not (model.per_bar_z or model.per_step_z or model.bar_encoder)
    assert get_config("mel_16bar_hier_projected").model.per_bar_z


def test_a_card_tells_all_that_is_not_in_the_paper(name):
    told = card(name).get("additions")
    if told is not None:  # the cards of the first edition do not have it
        assert told == additions(get_config(name))


def test_a_loaded_model_writes_melodies_and_learns_nothing_unasked():
    model = load_pretrained("mel_2bar")
    assert not model.training
    melodies = model.sample(64, torch.Generator().manual_seed(0)).numpy()
    onsets = (melodies > 1).sum(1)
    assert (onsets > 0).mean() > 0.9 and len({row.tobytes() for row in melodies}) > 48


def test_an_unknown_name_lists_the_names():
    with pytest.raises(ValueError, match=r"'mel_3bar'.*mel_2bar.*mel_16bar_hier_projected"):
        load_pretrained("mel_3bar")
    with pytest.raises(ValueError, match="mel_2bar_lokl"):
        card("../configs")


def test_models_load_from_any_folder_without_a_network(tmp_path):
    program = """
import socket
def refuse(*_): raise OSError("no network")
socket.socket.connect = refuse
from mvae_lib.pretrained import load_pretrained
print(load_pretrained("mel_2bar").config.z_size)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == str(get_config("mel_2bar").model.z_size), done.stderr


def test_the_cards_are_json_without_surprises(name):
    text = (FOLDER / name / "card.json").read_text(encoding="utf-8")
    assert json.loads(text) == card(name)
    assert "NaN" not in text and "Infinity" not in text


def test_the_readme_shows_what_the_cards_hold():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert results.table() in readme, "run tools/results.py and put the table into README.md"
