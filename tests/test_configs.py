"""Configurations: the reference's numbers, names that help, and JSON that cannot smuggle anything in."""

import copy
import json
from dataclasses import FrozenInstanceError, replace

import pytest

from mvae_lib.models.config import (
    Configuration,
    ModelConfig,
    TrainingConfig,
    from_dict,
    get_config,
    list_configs,
    to_dict,
)
from mvae_lib.music.representation import REPRESENTATIONS, get_representation


@pytest.mark.parametrize("name", list_configs())
def test_named_configurations_fit_their_representations(name):
    model = get_config(name).model
    if model.representation in REPRESENTATIONS:  # drums and trio have only their configurations
        kind = get_representation(model.representation)
        assert (model.vocab_sizes, model.steps_per_bar) == (kind.vocab_sizes, kind.steps_per_bar)
        assert model.steps % kind.steps_per_bar == 0


@pytest.mark.parametrize(
    ("name", "z_size", "batch", "max_beta", "beta_rate", "free_bits", "sampling_k", "steps"),
    [
        ("cat-mel_2bar_small", 256, 512, 0.2, 0.99999, 0, 1000, 32),
        ("cat-mel_2bar_big", 512, 512, 0.5, 0.99999, 0, 1000, 32),
        ("cat-mel_2bar_med_chords", 256, 512, 1, 0, 0, None, 32),
        ("cat-drums_2bar_small", 256, 512, 0.2, 0, 48, 1000, 32),
        ("cat-drums_2bar_big", 512, 512, 0.2, 0, 48, 1000, 32),
        ("flat-mel_16bar", 512, 512, 0.2, 0, 256, None, 256),
        ("hierdec-mel_16bar", 512, 512, 0.2, 0, 256, None, 256),
        ("flat-trio_16bar", 512, 256, 1, 0, 0, None, 256),
        ("hierdec-trio_16bar", 512, 256, 0.2, 0, 256, None, 256),
    ],
)
def test_named_configurations_are_the_references(
    name, z_size, batch, max_beta, beta_rate, free_bits, sampling_k, steps
):
    configuration = get_config(name)
    training = configuration.training
    assert configuration.name == name
    assert (configuration.model.z_size, configuration.model.steps) == (z_size, steps)
    assert (training.batch, training.max_beta, training.beta_rate) == (batch, max_beta, beta_rate)
    assert (training.free_bits, training.sampling_k) == (free_bits, sampling_k)
    assert not any(
        getattr(configuration.model, key) for key in ("bar_encoder", "per_step_z", "per_bar_z", "scaled_init")
    )


def test_an_unknown_name_lists_the_names():
    with pytest.raises(ValueError, match=r"'hierdec-mel_2bar'.*hierdec-mel_16bar.*mel_2bar"):
        get_config("hierdec-mel_2bar")


@pytest.mark.parametrize("name", list_configs())
def test_json_and_back(name):
    assert from_dict(json.loads(json.dumps(to_dict(get_config(name))))) == get_config(name)


def changed(path: list[str], value: object) -> dict:
    data = json.loads(json.dumps(to_dict(get_config("mel_2bar"))))
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (changed(["model", "z_dim"], 3), r"'model' of a configuration.*unknown: z_dim; missing: none"),
        (changed(["model"], {"steps": 32}), r"unknown: none; missing: .*z_size"),
        (changed(["model", "z_size"], "64"), r"'z_size'.*int, not '64'"),
        (changed(["model", "z_size"], True), r"'z_size'.*int, not True"),
        (changed(["model", "per_step_z"], 1), r"'per_step_z'.*bool, not 1"),
        (changed(["model", "vocab_sizes"], [90.5]), r"'vocab_sizes'.*int, not 90.5"),
        (changed(["model", "vocab_sizes"], 90), r"'vocab_sizes'"),
        (changed(["model", "encoder_reads"], "midi"), r"'encoder_reads'.*'midi'"),
        (changed(["training"], None), r"'training' of a configuration must be an object"),
        (changed(["training", "max_beta"], "0.2"), r"'max_beta'.*float, not '0.2'"),
        (changed(["model", "z_size"], -1), r"z_size must lie in 1 to"),
        ([1, 2], r"a configuration must be an object"),
    ],
)
def test_a_damaged_dictionary_is_refused_with_the_reason(data, message):
    with pytest.raises(ValueError, match=message):
        from_dict(data)


def test_whole_numbers_of_json_become_decimal_where_a_decimal_is_meant():
    restored = from_dict(changed(["training", "free_bits"], 48)).training.free_bits
    assert restored == 48 and isinstance(restored, float)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocab_sizes": ()}, "vocab_sizes"),
        ({"vocab_sizes": (90, 1)}, "vocab_sizes"),
        ({"control": -1}, "control"),
        ({"encoder_reads": "drum-bits"}, "512"),
        ({"conductor_units": 64}, "both units and layers"),
        ({"conductor_units": 64, "conductor_layers": 1, "steps": 40}, "whole bars"),
        ({"per_bar_z": True, "per_step_z": True}, "not both"),
        ({"bar_counter": True, "conductor_units": 4, "conductor_layers": 1}, "for flat decoders"),
        ({"bar_encoder": True, "steps": 40}, "not whole bars"),
        ({"decoder_layers": 0}, "decoder_layers"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(ModelConfig(), **change)


def test_configurations_cannot_be_changed_in_place():
    configuration = Configuration("mine")
    with pytest.raises(FrozenInstanceError):
        configuration.name = "yours"
    assert copy.deepcopy(configuration) == configuration == Configuration("mine", ModelConfig(), TrainingConfig())
