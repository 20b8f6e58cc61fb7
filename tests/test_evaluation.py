import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from mvae_lib.data.folk import folk_melodies, transpose_to_all_keys
from mvae_lib.data.ngram import NGram
from mvae_lib.evaluation import report
from mvae_lib.evaluation.metrics import evaluate, exact_match, fit_baselines, onset_accuracy, step_accuracy
from mvae_lib.models.config import ModelConfig
from mvae_lib.models.latent_model import LatentModel
from mvae_lib.models.musicvae import MusicVAE
from mvae_lib.models.posterior import Posterior

TOKENS = np.array([[40, 0, 0, 42], [40, 1, 0, 0]])


def test_a_decoder_that_never_plays_has_steps_right_and_no_onset():
    silence = np.zeros_like(TOKENS)
    assert step_accuracy(silence, TOKENS) == 4 / 8
    assert onset_accuracy(silence, TOKENS) == 0
    assert exact_match(silence, TOKENS) == 0


def test_the_three_measures_count_what_they_say():
    decoded = TOKENS.copy()
    decoded[0, 3] = 43  # a wrong pitch at a true onset
    decoded[1, 2] = 50  # a note where there is none
    assert step_accuracy(decoded, TOKENS) == 6 / 8
    assert onset_accuracy(decoded, TOKENS) == 2 / 3
    assert exact_match(decoded, TOKENS) == 0
    assert exact_match(np.stack([TOKENS[0], decoded[1]]), TOKENS) == 0.5


def test_tensors_count_like_arrays():
    assert onset_accuracy(torch.tensor(TOKENS), TOKENS) == 1.0


@pytest.mark.parametrize("measure", [step_accuracy, onset_accuracy, exact_match])
def test_shapes_that_would_broadcast_are_refused(measure):
    with pytest.raises(ValueError, match="one shape"):
        measure(TOKENS[0], TOKENS)


# ---- the table of a model


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def train():
    return folk_melodies(2, "train").sample(300, seed=1)


@pytest.fixture(scope="module")
def data():
    return folk_melodies(2, "test").sample(70, seed=1)


@pytest.fixture(scope="module")
def baselines(train):
    return fit_baselines(train)


@pytest.fixture(scope="module")
def model():
    sizes = {"z_size": 5, "encoder_units": 6, "decoder_units": 7, "decoder_layers": 1}
    model = MusicVAE(ModelConfig(scaled_init=True, **sizes), torch.Generator().manual_seed(0))
    with torch.no_grad():
        model.decoder.output.weight *= 4  # decisions that do not hang on the last digit
    return model


def seeded(seed=0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class PerfectMemory(LatentModel):
    """A model with known answers: z is the window itself, told with a standard deviation of .05."""

    def __init__(self):
        super().__init__()
        self.config, self.anything = ModelConfig(z_size=32), torch.nn.Parameter(torch.zeros(1))

    def posterior(self, tokens, control=None):
        return Posterior(tokens.float(), torch.full(tokens.shape, 0.05))

    def logits(self, z, tokens, control=None):
        return -50 * (z.unsqueeze(-1) - torch.arange(90)).square()

    def generate(self, z, sampler, steps, control=None):
        return z.round().long()[:, :steps]


def test_a_perfect_memory_has_every_measure_at_its_end(data, baselines):
    distinct = data[np.unique(data.tokens, axis=0, return_index=True)[1]]
    result = evaluate(PerfectMemory(), distinct, baselines, seeded(), k=3)
    for accuracy in (result.whole.teacher_forced, result.whole.free_running):
        assert accuracy == report.Accuracy(1, 1, 1)
    assert result.whole.distortion_nats_per_step < 1e-3
    assert result.mutual_information_windows == len(distinct)
    assert result.mutual_information_ceiling_bits == pytest.approx(math.log2(len(distinct)))
    assert result.mutual_information_bits == pytest.approx(math.log2(len(distinct)), abs=1e-3)
    assert result.active_units == (torch.tensor(distinct.tokens).float().var(0) > 0.01).sum()
    posterior = Normal(torch.tensor(distinct.tokens).double(), 0.05)
    rate = kl_divergence(posterior, Normal(torch.zeros(()).double(), 1.0)).sum(1).mean()
    assert result.whole.rate_bits == pytest.approx(float(rate) / math.log(2), rel=1e-5)


def test_each_accuracy_is_that_of_the_decoder_it_is_named_after(model, train, data, baselines):
    result = evaluate(model, data, baselines, seeded(), k=1).whole
    tokens = torch.tensor(data.tokens)
    with torch.no_grad():
        forced = model.logits(model.encode(tokens).mu, tokens).argmax(-1)
    free = model.reconstruct(tokens)
    majority = [np.bincount(column).argmax() for column in train.tokens.T]
    decoders = {"no_event": data.tokens * 0, "majority": np.tile(majority, (len(data), 1))}
    for name, decoded in {"teacher_forced": forced, "free_running": free, **decoders}.items():
        expected = [measure(decoded, data.tokens) for measure in (step_accuracy, onset_accuracy, exact_match)]
        assert getattr(result, name) == report.Accuracy(*expected)
    assert result.teacher_forced != result.free_running
    assert result.ngram_nats_per_step == pytest.approx(
        NGram(transpose_to_all_keys(train.tokens), 5).nll(data.tokens).mean()
    )


def test_bounds_fit_together(model, data, baselines):
    loose, tight = (evaluate(model, data, baselines, seeded(), k=k).whole for k in (1, 30))
    nats = loose.distortion_nats_per_step * 32 + loose.rate_bits * math.log(2)
    assert loose.elbo_nats == pytest.approx(-nats)
    assert tight.iwae_nats > loose.iwae_nats
    assert tight.iwae_nats > tight.elbo_nats


def test_books_add_up_to_the_whole(model, data, baselines):
    result = evaluate(model, data, baselines, seeded(), k=2)
    assert list(result.by_source) == ["aird", "ryan", "oneill"]
    books = list(result.by_source.values())
    weights = [book.windows / len(data) for book in books]
    assert sum(weights) == pytest.approx(1)
    for name in ("rate_bits", "distortion_nats_per_step", "elbo_nats", "iwae_nats", "ngram_nats_per_step"):
        mean = np.dot(weights, [getattr(book, name) for book in books])
        assert getattr(result.whole, name) == pytest.approx(mean)
    mean = np.dot(weights, [book.free_running.step for book in books])
    assert result.whole.free_running.step == pytest.approx(mean)
    alone = evaluate(model, data[data.book == "ryan"], baselines, seeded(), k=2)
    assert alone.whole.teacher_forced == result.by_source["ryan"].teacher_forced
    assert list(alone.by_source) == ["ryan"]


def test_batches_change_nothing_and_the_generator_everything_that_is_drawn(model, data, baselines):
    result = evaluate(model, data, baselines, seeded(), k=2)
    assert repr(evaluate(model, data, baselines, seeded(), k=2, batch=17)) == repr(result)
    assert evaluate(model, data, baselines, seeded(), k=2) == result
    assert evaluate(model, data, baselines, seeded(1), k=2).whole.iwae_nats != result.whole.iwae_nats


def test_mutual_information_is_estimated_from_windows_of_the_whole_split(model, data, baselines):
    by_source = data[np.argsort(data.book)]
    few = evaluate(model, by_source, baselines, seeded(), k=1, mutual_information_windows=20)
    assert few.mutual_information_windows == 20
    assert few.mutual_information_ceiling_bits == pytest.approx(math.log2(20))
    assert few.mutual_information_bits <= math.log2(20)
    head = evaluate(model, by_source[:20], baselines, seeded(), k=1)
    assert few.mutual_information_bits != pytest.approx(head.mutual_information_bits)


def test_an_evaluation_leaves_no_gradient_behind(model, data, baselines):
    evaluate(model, data, baselines, seeded(), k=1)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_what_does_not_belong_together_is_refused(model, data, baselines):
    drums = MusicVAE(replace(model.config, vocab_sizes=(512,)))
    with pytest.raises(ValueError, match=r"\(90,\) classes, and the model \(512,\)"):
        evaluate(drums, data, baselines, seeded())
    with pytest.raises(ValueError, match="bars"):
        evaluate(model, folk_melodies(16, "test").sample(2, seed=0), baselines, seeded())
    with pytest.raises(ValueError, match="at least one window"):
        evaluate(model, data[:0], baselines, seeded())


def test_the_table_shows_every_number_and_its_baselines(model, data, baselines):
    result = evaluate(model, data, baselines, seeded(), k=2)
    text = str(result)
    for words in ("all", "aird", "ryan", "oneill", "always no event", "per-step majority", "5-gram", "k = 2", "of 5"):
        assert words in text
    rows = {line[:30].strip(): line[30:].split() for line in text.splitlines()}
    columns = [result.whole, *result.by_source.values()]
    assert rows["rate, bits"] == [f"{column.rate_bits:.1f}" for column in columns]
    assert rows["model, at most (ELBO)"] == [f"{-column.elbo_nats / 32:.3f}" for column in columns]
    assert max(map(len, text.splitlines())) <= 88


def test_json_there_and_back(model, data, baselines, tmp_path):
    result = evaluate(model, data, baselines, seeded(), k=1)
    report.save(result, tmp_path / "evaluation.json")
    assert report.load(tmp_path / "evaluation.json") == result
    assert report.from_dict(report.to_dict(result)) == result


def test_json_of_something_else_is_refused_by_name(model, data, baselines, tmp_path):
    path, good = tmp_path / "evaluation.json", report.to_dict(evaluate(model, data, baselines, seeded(), k=1))
    foreign = [{}, [], {**good, "more": 1}, {**good, "whole": {}}, {**good, "by_source": []}]
    for content in [*(json.dumps(data) for data in foreign), json.dumps(good)[:100]]:
        path.write_text(content, encoding="utf-8")
        with pytest.raises(ValueError, match=r"evaluation\.json"):
            report.load(path)
