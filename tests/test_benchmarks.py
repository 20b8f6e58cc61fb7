"""What the benchmarks compare has to be the same thing, and what they hold it against has to be counted right."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks import recurrence as benchmark
from benchmarks import speed
from benchmarks.reference_port import PlainPort, ReferenceLoop
from benchmarks.yardsticks import decoding_operations, training_operations, weights_read
from mvae_lib.models import recurrence
from mvae_lib.models.config import ModelConfig, get_config
from mvae_lib.models.cuda_graph import GraphedDecoder
from mvae_lib.models.musicvae import MusicVAE
from mvae_lib.models.precision import cpu_autocast_supported

FLAT = ModelConfig(
    steps=8, vocab_sizes=(9,), z_size=4, encoder_units=5, encoder_layers=2, decoder_units=6, per_step_z=True
)
HIERARCHICAL = replace(
    FLAT, conductor_units=7, conductor_layers=2, steps_per_bar=4, per_step_z=False, per_bar_z=True, encoder_layers=1
)


MODELS = {
    "flat+z": FLAT,
    "flat": replace(FLAT, per_step_z=False),
    "hierarchical": HIERARCHICAL,
    "bars read apart": replace(HIERARCHICAL, bar_encoder=True),
}


@pytest.fixture(params=MODELS.values(), ids=MODELS)
def model(request) -> MusicVAE:
    generator = torch.Generator().manual_seed(2)
    model = MusicVAE(request.param, generator)
    for parameter in model.parameters():  # large values, so that every part has an effect
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, generator=generator)
    return model


@pytest.mark.parametrize("port", [ReferenceLoop, PlainPort])
def test_the_ports_compute_what_the_library_computes(port, model):
    tokens = torch.randint(9, (6, 8), generator=torch.Generator().manual_seed(0))
    results = []
    for run in (model, port(model)):
        model.zero_grad()
        output = run(tokens, torch.Generator().manual_seed(1))
        output.logits.square().mean().backward()
        gradients = [parameter.grad for parameter in model.parameters() if parameter.requires_grad]
        results.append([output.logits, *output.posterior, output.z, *gradients])
    torch.testing.assert_close(results[1], results[0], atol=1e-5, rtol=1e-4)
    assert torch.equal(port(model).decode(results[0][3].detach()), model.decode(results[0][3].detach()))


def test_the_ports_refuse_what_they_are_not_written_for():
    with pytest.raises(ValueError, match="melodies"):
        ReferenceLoop(MusicVAE(replace(FLAT, vocab_sizes=(9, 5))))


def test_operations_of_the_large_model_as_counted_by_hand():
    with torch.device("meta"):
        model = MusicVAE(get_config("hierdec-mel_16bar").model)
    encoder = 2 * 4 * 2048 * ((90 + 2048) + (2 * 2048 + 2048))  # both directions; the first layer and the second
    posterior = 2 * (2 * 2048 * 512)
    conductor = 4 * 1024 * ((1 + 1024) + 2 * 1024)
    core = 4 * 1024 * ((90 + 1024 + 1024) + 2 * 1024) + 90 * 1024
    starts = 512 * 4 * 1024 + 16 * 1024 * 4 * 1024
    weights = 256 * encoder + posterior + 16 * conductor + 256 * core + starts
    assert training_operations(model) == 3 * 2 * weights


def test_operations_of_a_small_decoder_as_counted_by_hand():
    model = MusicVAE(
        ModelConfig(steps=8, vocab_sizes=(9,), z_size=4, encoder_units=5, decoder_units=6, decoder_layers=1)
    )
    each_step = (9 + 4 + 6) * 24 + 6 * 9
    assert weights_read(model) == 4 * 2 * 6 + 8 * each_step
    assert decoding_operations(model) == 2 * weights_read(model)


@pytest.fixture
def quick_speed(tmp_path, monkeypatch):
    """Runs the command on tiny samples, and returns the path of its JSON file."""
    monkeypatch.setattr(speed, "SAMPLE_SECONDS", 1e-4)
    monkeypatch.setattr(speed, "matrix_rate", lambda device, dtype: 1e9)
    monkeypatch.setattr(speed, "copy_rate", lambda device: 1e9)

    def run(*options: str) -> Path:
        path = tmp_path / "speed.json"
        monkeypatch.setattr(
            "sys.argv", ["speed", "--models", "mel_2bar", "--batch", "2", *options, "--json", str(path)]
        )
        speed.main()
        return path

    return run


def printed_rows(capsys) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("| mel_2bar")]


def test_the_command_prints_a_row_for_each_task_and_precision(quick_speed, capsys):
    path = quick_speed("--decode", "1", "2", "--rounds", "1")
    rows = printed_rows(capsys)
    assert len(rows) == 3 * 2
    supported = {"fp32": True, "bf16": cpu_autocast_supported()}
    for row in rows:
        assert row.count("| x") == (3 if supported[row.split(" | ")[3]] else 0)
    assert '"reference"' in path.read_text(encoding="utf-8")


def test_a_precision_that_the_cpu_does_not_support_is_named_in_words(quick_speed, capsys, monkeypatch):
    monkeypatch.setattr(speed, "autocast_supported", lambda device: False)
    path = quick_speed("--quick")
    rows = printed_rows(capsys)
    assert [row.count("not supported here") for row in rows] == [0, 3, 0, 3]  # training step and decoding
    assert [len(row["samples_s"]) for row in json.loads(path.read_text(encoding="utf-8"))["rows"]] == [3, 0, 3, 0]


def test_a_formulation_that_fails_leaves_the_others_and_the_rows_before_it(quick_speed, capsys, monkeypatch):
    def fail(*_):
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(PlainPort, "decode", fail)
    monkeypatch.setattr(speed, "autocast_supported", lambda device: False)
    quick_speed("--quick")
    training, _, decoding, _ = printed_rows(capsys)
    assert "failed" not in training and training.count("| x") == 3
    assert decoding.count("| failed |") == 1 and decoding.count("| x") == 2


def test_each_row_is_printed_and_written_as_soon_as_it_is_measured(quick_speed, capsys, monkeypatch, tmp_path):
    measure = speed.measure

    def stopped_at_decoding(task, *rest):
        if task.name == "decoding":
            raise KeyboardInterrupt
        return measure(task, *rest)

    monkeypatch.setattr(speed, "measure", stopped_at_decoding)
    with pytest.raises(KeyboardInterrupt):
        quick_speed("--quick")
    assert len(printed_rows(capsys)) == 2
    assert len(json.loads((tmp_path / "speed.json").read_text(encoding="utf-8"))["rows"]) == 2


def test_the_two_ways_of_the_recurrence_are_compared_in_turn_and_the_rule_is_put_back(monkeypatch):
    taken = []
    for name in ("_fused", "_by_hand"):
        way = getattr(recurrence, name)
        monkeypatch.setattr(recurrence, name, lambda *a, way=way, name=name: (taken.append(name), way(*a))[1])
    rule, shape = recurrence.by_hand_is_faster, benchmark.Shape("small", 2, 3, 4, conditioning=5)
    samples = benchmark.compare(benchmark.lstm_call(shape), rounds=2, threads=1)
    assert taken == ["_fused", "_by_hand"] * 3  # a round to warm up, and two that count
    assert [len(times) for times in samples.values()] == [2, 2]
    assert recurrence.by_hand_is_faster is rule


def test_a_graph_off_a_gpu_is_refused(model):
    with pytest.raises(ValueError, match="CUDA"):
        GraphedDecoder(model, 1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_graph_decodes_what_the_model_decodes(model):
    model = model.cuda()
    decode = GraphedDecoder(model, 3)
    for seed in range(2):
        z = torch.randn(3, 4, generator=torch.Generator().manual_seed(seed)).cuda()
        assert torch.equal(decode(z), model.decode(z))
    with torch.no_grad():
        model.decoder.start.linear.weight.neg_()
    assert torch.equal(decode(z), model.decode(z))
