"""What the benchmarks compare has to be the same thing, and what they hold it against has to be counted right."""

from dataclasses import replace

import pytest
import torch

from benchmarks import speed
from benchmarks.reference_port import PlainPort, ReferenceLoop
from benchmarks.yardsticks import decoding_operations, training_operations, weights_read
from mvae_lib.models.config import ModelConfig, get_config
from mvae_lib.models.cuda_graph import GraphedDecoder
from mvae_lib.models.musicvae import MusicVAE

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


def test_the_command_prints_a_row_for_each_task_and_precision(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(speed, "SAMPLE_SECONDS", 1e-4)
    monkeypatch.setattr(speed, "matrix_rate", lambda device, dtype: 1e9)
    monkeypatch.setattr(speed, "copy_rate", lambda device: 1e9)
    options = ["--models", "mel_2bar", "--batch", "2", "--decode", "1", "2", "--rounds", "1"]
    monkeypatch.setattr("sys.argv", ["speed", *options, "--json", str(tmp_path / "speed.json")])
    speed.main()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| mel_2bar")]
    assert len(rows) == 3 * 2
    assert all(row.count("| x") == 3 for row in rows)
    assert '"reference"' in (tmp_path / "speed.json").read_text(encoding="utf-8")


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
