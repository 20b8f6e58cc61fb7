"""What a decoder hears of z: measured on models of which the answer is known."""

import math

import pytest
import torch

from mvae_lib.evaluation.collapse import START_OF_SEQUENCE, diagnose, word_dropout
from mvae_lib.models.autoencoder import VAE, AutoencoderConfig
from mvae_lib.models.config import ModelConfig
from mvae_lib.models.musicvae import MusicVAE
from mvae_lib.models.posterior import Posterior
from mvae_lib.models.tracks import one_hot


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def tiny(**changes):
    return ModelConfig(
        **{"steps": 8, "z_size": 4, "encoder_units": 6, "decoder_units": 8, "decoder_layers": 1} | changes
    )


def melodies(n=300):
    return torch.randint(2, 90, (n, 8), generator=generator(1))


def test_hidden_words_are_a_share_of_all_and_are_read_as_zeros():
    tokens = melodies(2000)
    kept = tokens.clone()
    hidden = word_dropout(tokens, 0.3, generator())
    assert torch.equal(tokens, kept)
    assert torch.equal(hidden[hidden != START_OF_SEQUENCE], tokens[hidden != START_OF_SEQUENCE])
    assert (hidden == START_OF_SEQUENCE).float().mean().item() == pytest.approx(0.3, abs=0.01)
    share = (hidden == START_OF_SEQUENCE).float()
    assert share.mean(1).std() > 0 and share.mean(0).std() > 0
    assert not one_hot(torch.tensor([START_OF_SEQUENCE]), (90,)).any()
    assert torch.equal(word_dropout(tokens, 0.0, generator()), tokens)
    assert (word_dropout(tokens, 1.0, generator()) == START_OF_SEQUENCE).all()


def test_small_integers_can_be_hidden_and_no_probability_above_one():
    assert word_dropout(torch.zeros(1, 3, dtype=torch.uint8), 1.0, None).tolist() == [[90, 90, 90]]
    with pytest.raises(ValueError, match="between 0 and 1"):
        word_dropout(melodies(), 1.5, None)


def test_a_decoder_that_does_not_read_z_pays_nothing_for_the_swap():
    model = MusicVAE(tiny(), generator())
    with torch.no_grad():
        model.decoder.lstm.weight_ih_l0[:, 90:] = 0
        model.decoder.start.linear.weight.zero_()
    heard = diagnose(model, melodies(), generator())
    assert heard.swap_cost == pytest.approx(0, abs=1e-4)
    assert heard.negative_elbo == heard.distortion + heard.rate


class Offset(VAE):
    """Every melody's posterior is the same one, far from the prior."""

    def encode(self, tokens):
        return Posterior(torch.full((len(tokens), 4), 2.0), torch.ones(len(tokens), 4))


def test_a_constant_offset_has_a_rate_and_no_information():
    heard = diagnose(Offset(AutoencoderConfig(8, 4, 4, 8), generator()), melodies(), generator())
    assert heard.rate == pytest.approx(4 * 2.0**2 / 2)
    assert heard.mutual_information == pytest.approx(0, abs=1e-5)
    assert heard.dimension_wise_kl == pytest.approx(heard.rate, rel=0.1)
    assert heard.active_units == 0


class Telling(VAE):
    """z names the melody: the first dimension is its first token."""

    def encode(self, tokens):
        mu = torch.zeros(len(tokens), 4)
        mu[:, 0] = tokens[:, 0].float()
        return Posterior(mu, torch.full_like(mu, 0.01))


def test_a_code_that_names_the_melody_has_all_the_information_that_its_melodies_hold():
    tokens = melodies(80)
    tokens[:, 0] = torch.arange(80) + 2
    heard = diagnose(Telling(AutoencoderConfig(8, 4, 4, 8), generator()), tokens, generator(), information_windows=50)
    assert heard.mutual_information == pytest.approx(math.log(50), abs=1e-3)
    assert heard.active_units == 1


def test_the_same_generator_gives_the_same_numbers_and_one_melody_is_refused():
    model = MusicVAE(tiny(), generator())
    assert diagnose(model, melodies(), generator(3)) == diagnose(model, melodies(), generator(3))
    with pytest.raises(ValueError, match="at least two"):
        diagnose(model, melodies(1), generator())
