"""MusicVAE as a whole: its size, its start, its gradients, and that it can learn."""

import copy
import math
from dataclasses import replace

import pytest
import torch

from mvae_lib.models.config import ModelConfig, get_config, list_configs
from mvae_lib.models.lstm import LSTM
from mvae_lib.models.musicvae import MusicVAE, count_parameters
from mvae_lib.models.precision import autocast, cpu_autocast_supported
from mvae_lib.training.objectives import gaussian_kl, musicvae_loss, reconstruction

FLAT = ModelConfig(steps=16, vocab_sizes=(20,), z_size=6, encoder_units=7, decoder_units=8)
HIERARCHICAL = replace(FLAT, conductor_units=9, conductor_layers=2, steps_per_bar=4)
SMALL = {
    "flat": FLAT,
    "flat, projections by step": replace(FLAT, per_step_z=True),
    "flat, projections by bar": replace(FLAT, per_bar_z=True, steps_per_bar=4),
    "flat, bar counter": replace(FLAT, bar_counter=True, steps_per_bar=4),
    "hierarchical": HIERARCHICAL,
    "hierarchical, projections": replace(HIERARCHICAL, per_bar_z=True, per_step_z=True),
    "hierarchical, balanced": replace(HIERARCHICAL, scaled_init=True),
    "hierarchical, bars read apart": replace(HIERARCHICAL, bar_encoder=True, scaled_init=True),
    "drums, balanced": replace(FLAT, vocab_sizes=(512,), encoder_reads="drum-bits", scaled_init=True),
    "drums": replace(FLAT, vocab_sizes=(512,), encoder_reads="drum-bits"),
    "flat trio with chords": replace(FLAT, vocab_sizes=(5, 5, 9), control=4),
    "hierarchical trio with chords": replace(HIERARCHICAL, vocab_sizes=(5, 5, 9), control=4),
    "trio with chords, bars read apart": replace(HIERARCHICAL, vocab_sizes=(5, 5, 9), control=4, bar_encoder=True),
}


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(5)


@pytest.fixture(params=SMALL)
def config(request) -> ModelConfig:
    return SMALL[request.param]


def batch_of(config: ModelConfig, generator: torch.Generator, batch: int = 5):
    """Random tokens, and a random control signal where the configuration asks for one."""
    tracks = [torch.randint(classes, (batch, config.steps), generator=generator) for classes in config.vocab_sizes]
    tokens = tracks[0] if len(tracks) == 1 else torch.stack(tracks, -1)
    return tokens, torch.randn(batch, config.steps, config.control, generator=generator) if config.control else None


# ---- how many numbers are trained


def lstm_size(inputs: int, units: int, layers: int = 1, directions: int = 1) -> int:
    later = (layers - 1) * (directions * units + units + 1)
    return directions * 4 * units * (inputs + units + 1 + later)


def dense_size(inputs: int, outputs: int) -> int:
    return (inputs + 1) * outputs


def size(config: ModelConfig) -> int:
    """The same count by arithmetic, from the shapes that the reference's source gives."""
    c, classes = config, sum(config.vocab_sizes)
    read = 10 if c.encoder_reads == "drum-bits" else classes
    total = lstm_size(read + c.control, c.encoder_units, c.encoder_layers, 2)
    total += 2 * dense_size((c.bars if c.bar_encoder else 1) * 2 * c.encoder_units, c.z_size)
    decoders = [(c.z_size, classes)]
    if c.conductor_units:
        total += dense_size(c.z_size, 2 * c.conductor_layers * c.conductor_units)
        total += lstm_size(1, c.conductor_units, c.conductor_layers)
        decoders = [(c.conductor_units, head) for head in c.vocab_sizes]
    for z, head in decoders:
        total += dense_size(z, 2 * c.decoder_layers * c.decoder_units)
        inputs = head + z + c.control + c.bar_counter * c.bars
        total += lstm_size(inputs, c.decoder_units, c.decoder_layers) + dense_size(c.decoder_units, head)
        total += c.per_step_z * (c.steps_per_bar if c.conductor_units else c.steps) * z * z
    return total + c.per_bar_z * c.bars * (c.conductor_units or c.z_size) * c.z_size


def meta_model(config: ModelConfig) -> MusicVAE:
    with torch.device("meta"):  # shapes without memory: the largest would take a gigabyte
        return MusicVAE(config)


@pytest.mark.parametrize("name", list_configs())
def test_parameters_as_counted_by_arithmetic(name):
    assert count_parameters(meta_model(get_config(name).model)) == size(get_config(name).model)


def test_small_models_are_counted_alike(config):
    assert count_parameters(meta_model(config)) == size(config)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("cat-mel_2bar_small", 4_423_770),
        ("cat-drums_2bar_small", 4_636_672),
        ("cat-mel_2bar_big", "134.6 M"),
        ("cat-mel_2bar_med_chords", "17.5 M"),
        ("cat-drums_2bar_big", "137.6 M"),
        ("flat-mel_16bar", "235.3 M"),
        ("hierdec-mel_16bar", "176.1 M"),
        ("flat-trio_16bar", "251.3 M"),
        ("hierdec-trio_16bar", "231.0 M"),
    ],
)
def test_parameters_as_the_reference_has_them(name, count):
    counted = count_parameters(meta_model(get_config(name).model))
    assert counted == count or f"{counted / 1e6:.1f} M" == count


def test_the_matched_models_are_of_one_size():
    counts = [count_parameters(meta_model(get_config(f"mel_16bar_{decoder}").model)) for decoder in ("flat", "hier")]
    assert max(counts) / min(counts) < 1.02


# ---- how it starts


def test_one_bias_is_trained_and_the_other_holds_the_forget_bias(generator):
    lstm = LSTM(5, 6, 2, bidirectional=True, generator=generator)
    for name, parameter in lstm.named_parameters():
        assert parameter.requires_grad == (not name.startswith("bias_ih"))
        if name.startswith("bias"):
            forget = 1.0 if name.startswith("bias_ih") else 0.0
            assert parameter.tolist() == [0] * 6 + [forget] * 6 + [0] * 12
        elif name.startswith("weight_ih_l0"):  # Glorot over the joint kernel: 5 + 6 in, 24 out
            assert 0.9 * math.sqrt(6 / 35) < parameter.abs().max() <= math.sqrt(6 / 35)


def test_the_constant_bias_is_still_there_after_training_steps(generator):
    model = MusicVAE(FLAT, generator)
    before = copy.deepcopy(model.state_dict())
    train(model, *batch_of(FLAT, generator), generator, updates=3)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) == ("bias_ih" in name), name


def test_kernels_that_start_small(generator):
    model = MusicVAE(replace(HIERARCHICAL, z_size=200), generator)
    small = [model.encoder.mu, model.encoder.sigma, model.decoder.start.linear, model.decoder.cores[0].start.linear]
    for layer in small:
        assert layer.weight.std().item() == pytest.approx(0.001, rel=0.2)
        assert not layer.bias.any()


def spread(weight: torch.Tensor) -> float:
    return weight.std().item()


def test_scaled_init_gives_tokens_and_z_a_voice(generator):
    trio = replace(
        HIERARCHICAL, vocab_sizes=(16, 25), z_size=40, conductor_units=30, encoder_units=50, decoder_units=60
    )
    plain, balanced = MusicVAE(trio, generator), MusicVAE(replace(trio, scaled_init=True), generator)
    for name in ("weight_ih_l0", "weight_ih_l0_reverse"):
        one, other = getattr(plain.encoder.lstm, name), getattr(balanced.encoder.lstm, name)
        assert spread(other[:, :16]) / spread(one[:, :16]) == pytest.approx(4, rel=0.1)
        assert spread(other[:, 16:]) / spread(one[:, 16:]) == pytest.approx(5, rel=0.1)
    for one, other, classes in zip(plain.decoder.cores, balanced.decoder.cores, trio.vocab_sizes, strict=True):
        tokens, z = (slice(None, classes), slice(classes, None))
        ratio = spread(other.lstm.weight_ih_l0[:, tokens]) / spread(one.lstm.weight_ih_l0[:, tokens])
        assert ratio == pytest.approx(math.sqrt(classes), rel=0.1)
        ratio = spread(other.lstm.weight_ih_l0[:, z]) / spread(one.lstm.weight_ih_l0[:, z])
        assert ratio == pytest.approx(1, rel=0.1)
        assert spread(other.start.linear.weight) > 20 * spread(one.start.linear.weight)
    assert spread(balanced.decoder.start.linear.weight) > 20 * spread(plain.decoder.start.linear.weight)
    tokens, _ = batch_of(trio, generator)
    assert balanced.encode(tokens).sigma.mean().item() == pytest.approx(math.exp(-1), abs=0.01)
    assert balanced.encode(tokens).mu.std() > 10 * plain.encode(tokens).mu.std()


def test_the_generator_decides_the_start_values(config):
    first, again, other = (MusicVAE(config, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    weights = [torch.cat([p.detach().flatten() for p in model.parameters()]) for model in (first, again, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


# ---- what goes in and what comes out


def test_shapes_all_the_way(config, generator):
    model = MusicVAE(config, generator)
    tokens, control = batch_of(config, generator)
    logits, posterior, z = model(tokens.to(torch.int16), generator, 0.5, control)
    assert logits.shape == (5, config.steps, sum(config.vocab_sizes))
    assert posterior.mu.shape == posterior.sigma.shape == z.shape == (5, config.z_size)
    assert model.reconstruct(tokens, control=control).shape == tokens.shape
    again = model.sample(5, generator, temperature=1.0, control=control)
    assert again.shape == tokens.shape and again.dtype == torch.int64
    for track, classes in enumerate(config.vocab_sizes):
        own = again if len(config.vocab_sizes) == 1 else again[..., track]
        assert own.min() >= 0 and own.max() < classes
    nats = reconstruction(logits, tokens, config.vocab_sizes)
    assert nats.shape == (5,) and torch.isfinite(nats).all()


def test_steps_other_than_configured(generator):
    model = MusicVAE(HIERARCHICAL, generator)
    assert model.sample(2, generator, steps=8).shape == (2, 8)
    with pytest.raises(ValueError, match="reads tokens"):
        model.encode(torch.zeros(3, 24, dtype=torch.uint8))


def test_reconstruction_starts_from_mu_and_uses_no_randomness(config, generator):
    model = MusicVAE(config, generator)
    tokens, control = batch_of(config, generator)
    expected = model.decode(model.encode(tokens, control).mu, control=control)
    assert torch.equal(model.reconstruct(tokens, control=control), expected)


def test_logits_of_the_forward_pass_are_those_of_z(config, generator):
    model = MusicVAE(config, generator)
    tokens, control = batch_of(config, generator)
    output = model(tokens, generator, control=control)
    torch.testing.assert_close(model.logits(output.z, tokens, control), output.logits)


def test_copies_and_saved_states_give_the_same_numbers(config, generator):
    model = MusicVAE(config, generator)
    tokens, control = batch_of(config, generator)
    z = torch.randn(5, config.z_size, generator=generator)
    loaded = MusicVAE(config, torch.Generator().manual_seed(99))
    assert not torch.equal(loaded.logits(z, tokens, control), model.logits(z, tokens, control))
    loaded.load_state_dict(model.state_dict())
    for other in (loaded, copy.deepcopy(model)):
        assert torch.equal(other.logits(z, tokens, control), model.logits(z, tokens, control))
        assert count_parameters(other) == count_parameters(model)


def test_other_number_formats(generator):
    model = MusicVAE(HIERARCHICAL, generator).double()
    tokens, _ = batch_of(HIERARCHICAL, generator)
    assert model(tokens, generator, 0.5).logits.dtype == torch.float64
    model.bfloat16()
    assert model.sample(3, generator).shape == (3, 16)
    assert model.encode(tokens).mu.dtype == torch.bfloat16


def test_autocast_keeps_the_posterior_exact_and_reaches_every_path(config, generator):
    model = MusicVAE(config, generator)
    tokens, control = batch_of(config, generator)
    with autocast("cpu"):
        output = model(tokens, generator, 0.5, control)
        decoded = model.decode(output.z, control=control)
    assert output.posterior.mu.dtype == output.posterior.sigma.dtype == output.z.dtype == torch.float32
    assert output.logits.dtype == (torch.bfloat16 if cpu_autocast_supported() else torch.float32)
    assert decoded.shape == tokens.shape
    exact = model.logits(output.z, decoded, control)
    with autocast("cpu"):
        torch.testing.assert_close(model.logits(output.z, decoded, control).float(), exact, atol=0.05, rtol=0.05)


# ---- gradients


def gradient_of_the_encoder(model: MusicVAE, config: ModelConfig) -> float:
    generator = torch.Generator().manual_seed(8)
    tokens, control = batch_of(config, generator)
    output = model(tokens, generator, control=control)
    model.zero_grad()
    reconstruction(output.logits, tokens, config.vocab_sizes).sum().backward()
    return model.encoder.lstm.weight_hh_l0.grad.abs().max().item()


def silence_z_in_the_input(decoder: torch.nn.Module) -> None:
    with torch.no_grad():
        decoder.lstm.weight_ih_l0[:, sum(decoder.vocab_sizes) :] = 0


def silence_z_in_the_start(decoder: torch.nn.Module) -> None:
    torch.nn.init.zeros_(decoder.start.linear.weight)


def test_z_reaches_a_flat_decoder_by_two_ways(generator):
    model = MusicVAE(FLAT, generator)
    by_start, by_input = copy.deepcopy(model), copy.deepcopy(model)
    silence_z_in_the_input(by_start.decoder)
    silence_z_in_the_start(by_input.decoder)
    assert gradient_of_the_encoder(by_start, FLAT) > 0
    assert gradient_of_the_encoder(by_input, FLAT) > 0
    silence_z_in_the_input(by_input.decoder)
    assert gradient_of_the_encoder(by_input, FLAT) == 0  # there is no third


def test_z_reaches_the_decoder_by_its_step_wise_maps(generator):
    config = SMALL["flat, projections by step"]
    model = MusicVAE(config, generator)
    silence_z_in_the_start(model.decoder)
    with torch.no_grad():
        model.decoder.z_projections.copy_(-torch.eye(config.z_size))  # z + W_t z = 0: the maps undo z
    undone = gradient_of_the_encoder(model, config)
    with torch.no_grad():
        model.decoder.z_projections[3] += torch.eye(config.z_size)
    assert undone < 1e-3 * gradient_of_the_encoder(model, config)  # not 0: the sums are rounded


def test_z_reaches_a_hierarchical_decoder_by_the_conductor_and_the_bars_maps(generator):
    model = MusicVAE(HIERARCHICAL, generator)
    assert gradient_of_the_encoder(model, HIERARCHICAL) > 0
    by_start, by_input = copy.deepcopy(model), copy.deepcopy(model)
    silence_z_in_the_input(by_start.decoder.cores[0])
    silence_z_in_the_start(by_input.decoder.cores[0])
    assert gradient_of_the_encoder(by_start, HIERARCHICAL) > 0
    assert gradient_of_the_encoder(by_input, HIERARCHICAL) > 0
    silence_z_in_the_start(model.decoder)
    assert gradient_of_the_encoder(model, HIERARCHICAL) == 0
    config = replace(HIERARCHICAL, per_bar_z=True)
    model = MusicVAE(config, generator)
    silence_z_in_the_start(model.decoder)
    assert gradient_of_the_encoder(model, config) > 0


def test_every_trained_number_has_a_gradient_but_the_weights_of_the_conductors_zero(config, generator):
    model = MusicVAE(config, generator)
    tokens, control = batch_of(config, generator)
    output = model(tokens, generator, 0.5, control)
    nats = reconstruction(output.logits, tokens, config.vocab_sizes)
    musicvae_loss(nats, gaussian_kl(*output.posterior), 0.2).mean().backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad.any() == (name != "decoder.conductor.weight_ih_l0"), name


# ---- learning


def train(model, tokens, control, generator, updates, rate=1e-2, sampling_probability=0.0) -> list[float]:
    optimizer = torch.optim.Adam(model.parameters(), rate)
    losses = []
    for _ in range(updates):
        logits, posterior, _ = model(tokens, generator, sampling_probability, control)
        nats = reconstruction(logits, tokens, model.config.vocab_sizes)
        loss = musicvae_loss(nats, gaussian_kl(*posterior), beta=0.01).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_training_is_the_same_to_the_last_bit_when_it_is_repeated(config):
    runs = []
    for _ in range(2):
        generator = torch.Generator().manual_seed(3)
        model = MusicVAE(config, generator)
        losses = train(model, *batch_of(config, generator), generator, updates=4, sampling_probability=0.5)
        runs.append((losses, [parameter.tolist() for parameter in model.parameters()]))
    assert runs[0] == runs[1]


@pytest.mark.parametrize("name", ["flat", "hierarchical"])
def test_one_batch_is_learnt_by_heart(name, generator):
    """Every token right, given the true tokens before it and given the model's own: no path is broken."""
    config = replace(SMALL[name], z_size=16, encoder_units=32, decoder_units=48, decoder_layers=1)
    if config.hierarchical:
        config = replace(config, conductor_units=32, conductor_layers=1)
    tokens, _ = batch_of(config, generator, batch=8)
    model = MusicVAE(config, generator)
    for _ in range(20):
        train(model, tokens, None, generator, updates=50)
        mu = model.encode(tokens).mu
        if torch.equal(model.logits(mu, tokens).argmax(-1), tokens) and torch.equal(model.decode(mu), tokens):
            return
    pytest.fail(f"still wrong: {(model.decode(mu) != tokens).float().mean():.1%} of the tokens, free-running")
