"""Both decoders against a slow transcription of the reference, and what may and may not pass from bar to bar.

`reference_*` below is written from the equations alone: TensorFlow's layout (one kernel over [x, h], gates i, c, f, o,
a forget bias added at run time), one step at a time, one-hot vectors with z beside them at every step.
"""

import pytest
import torch

from mvae_lib.models.config import ModelConfig
from mvae_lib.models.decoders import FlatDecoder, HierarchicalDecoder
from mvae_lib.models.generate import generate, greedy, scheduled_sampling, temperature, top_p, word_dropout
from mvae_lib.models.lstm import LSTM

V, Z, UNITS, STEPS, BARS, BATCH = 12, 6, 8, 4, 3, 5  # STEPS: of a bar
TRIO = (5, 4, 7)
EXACT = {"atol": 1e-5, "rtol": 0}


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(3)


def lively(decoder: torch.nn.Module, generator: torch.Generator) -> torch.nn.Module:
    """The decoder with larger trained values, biases and the maps of z included, so that every part has an effect."""
    for parameter in decoder.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=1.0, generator=generator)
    return decoder


def flat(generator, vocab_sizes=(V,), layers=2, **options) -> FlatDecoder:
    options = {"steps": STEPS, **options}
    return lively(FlatDecoder(config(vocab_sizes, decoder_layers=layers, **options), generator), generator)


def hierarchical(generator, vocab_sizes=(V,), **options) -> HierarchicalDecoder:
    options = {"conductor_units": 7, "conductor_layers": 2, **options}
    return lively(HierarchicalDecoder(config(vocab_sizes, **options), generator), generator)


def config(vocab_sizes, **options) -> ModelConfig:
    sizes = {"steps": STEPS * BARS, "steps_per_bar": STEPS, "z_size": Z, "decoder_units": UNITS}
    return ModelConfig(**{**sizes, "vocab_sizes": vocab_sizes, **options})


def random_tokens(generator, vocab_sizes=(V,), steps=STEPS * BARS) -> torch.Tensor:
    tracks = [torch.randint(classes, (BATCH, steps), generator=generator) for classes in vocab_sizes]
    return tracks[0] if len(vocab_sizes) == 1 else torch.stack(tracks, -1)


def random_z(generator) -> torch.Tensor:
    return torch.randn(BATCH, Z, generator=generator)


# ---- the reference, step by step


def reference_cell(lstm: LSTM, layer: int, x: torch.Tensor, c: torch.Tensor, h: torch.Tensor):
    weights = [getattr(lstm, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_hh")]
    i, f, j, o = ((torch.cat([x, h], 1) @ torch.cat(weights[:2], 1).T) + weights[2]).split(lstm.hidden_size, 1)
    c = c * torch.sigmoid(f + 1.0) + torch.sigmoid(i) * torch.tanh(j)
    return c, torch.tanh(c) * torch.sigmoid(o)


def reference_start(linear: torch.nn.Linear, z: torch.Tensor, layers: int) -> list[list[torch.Tensor]]:
    flat_state = list(torch.tanh(linear(z)).chunk(2 * layers, 1))
    return [flat_state[2 * layer : 2 * layer + 2] for layer in range(layers)]  # c1, h1, c2, h2


def reference_flat(decoder, z, tokens, control=None, first=None, choose=None):
    """Logits `[batch, steps, classes]`; with `choose`, on own tokens, which are written over `tokens`."""
    state = reference_start(decoder.start.linear, z, decoder.lstm.num_layers)
    previous = torch.zeros(len(z), sum(decoder.vocab_sizes)) if first is None else first
    every = []
    for step in range(tokens.shape[1]):
        x = torch.cat([previous, z] if control is None else [previous, z, control[:, step]], 1)
        for layer in range(decoder.lstm.num_layers):
            state[layer] = list(reference_cell(decoder.lstm, layer, x, *state[layer]))
            x = state[layer][1]
        logits = x @ decoder.output.weight.T + decoder.output.bias
        every.append(logits)
        if choose is not None:
            picked = [choose(part) for part in logits.split(decoder.vocab_sizes, 1)]
            tokens[:, step] = picked[0] if len(picked) == 1 else torch.stack(picked, 1)
        hot = [
            torch.nn.functional.one_hot(t, n) for t, n in zip(columns(tokens, step), decoder.vocab_sizes, strict=True)
        ]
        previous = torch.cat(hot, 1).float()
    return torch.stack(every, 1)


def columns(tokens, step):
    return [tokens[:, step]] if tokens.ndim == 2 else list(tokens[:, step].unbind(1))


def reference_hierarchical(decoder, z, tokens, control=None, choose=None):
    """Bar after bar, the core decoder begun anew in each; the token before is all that it keeps."""
    state = reference_start(decoder.start.linear, z, decoder.conductor.num_layers)
    size, every = decoder.steps_per_bar, []
    for bar in range(tokens.shape[1] // size):
        x = torch.zeros(len(z), 1)
        for layer in range(decoder.conductor.num_layers):
            state[layer] = list(reference_cell(decoder.conductor, layer, x, *state[layer]))
            x = state[layer][1]
        span, logits = slice(bar * size, (bar + 1) * size), []
        for track, core in enumerate(decoder.cores):
            own = tokens if tokens.ndim == 2 else tokens[..., track]
            first = torch.nn.functional.one_hot(own[:, bar * size - 1], core.vocab_sizes[0]).float() if bar else None
            bar_control = None if control is None else control[:, span]
            logits.append(reference_flat(core, x, own[:, span], bar_control, first, choose))
        every.append(torch.cat(logits, -1))
    return torch.cat(every, 1)


FLAT_CASES = [((V,), 0, 1), ((V,), 0, 3), ((V,), 3, 2), (TRIO, 0, 2), (TRIO, 3, 1)]


@pytest.mark.parametrize(("vocab_sizes", "control", "layers"), FLAT_CASES)
def test_flat_decoder_equals_the_reference(generator, vocab_sizes, control, layers):
    decoder = flat(generator, vocab_sizes, layers, control=control)
    z, tokens = random_z(generator), random_tokens(generator, vocab_sizes)
    signal = torch.randn(BATCH, STEPS * BARS, control, generator=generator) if control else None
    torch.testing.assert_close(decoder(z, tokens, signal), reference_flat(decoder, z, tokens, signal), **EXACT)
    expected = torch.zeros_like(tokens)
    reference_flat(decoder, z, expected, signal, choose=greedy)
    assert torch.equal(generate(decoder, z, STEPS * BARS, greedy, signal), expected)
    assert expected.unique().numel() > 2


@pytest.mark.parametrize(("vocab_sizes", "control"), [((V,), 0), ((V,), 3), (TRIO, 0), (TRIO, 3)])
def test_hierarchical_decoder_in_one_batch_equals_the_loop_over_bars(generator, vocab_sizes, control):
    decoder = hierarchical(generator, vocab_sizes, control=control)
    z, tokens = random_z(generator), random_tokens(generator, vocab_sizes)
    signal = torch.randn(BATCH, STEPS * BARS, control, generator=generator) if control else None
    torch.testing.assert_close(decoder(z, tokens, signal), reference_hierarchical(decoder, z, tokens, signal), **EXACT)
    expected = torch.zeros_like(tokens)
    reference_hierarchical(decoder, z, expected, signal, choose=greedy)
    assert torch.equal(generate(decoder, z, STEPS * BARS, greedy, signal), expected)
    assert expected.unique().numel() > 2


DECODERS = {
    "flat": lambda generator: flat(generator),
    "flat, projections by step": lambda generator: flat(generator, steps=STEPS * BARS, per_step_z=True),
    "flat, projections by bar": lambda generator: flat(generator, steps=STEPS * BARS, per_bar_z=True),
    "flat, bar counter": lambda generator: flat(generator, steps=STEPS * BARS, bar_counter=True),
    "hierarchical": lambda generator: hierarchical(generator),
    "hierarchical, projections": lambda generator: hierarchical(generator, per_bar_z=True, per_step_z=True),
    "trio": lambda generator: hierarchical(generator, TRIO),
}


@pytest.fixture(params=DECODERS)
def decoder(request, generator):
    return DECODERS[request.param](generator)


def test_free_running_logits_are_those_of_teacher_forcing_on_the_same_tokens(decoder, generator):
    z, seen = random_z(generator), {}

    def record(track, step, logits):
        seen[track, step] = logits.clone()
        return logits.argmax(-1)

    with torch.no_grad():
        tracks = decoder.generate_steps(z, record, STEPS * BARS)
        tokens = tracks[0] if len(tracks) == 1 else torch.stack(tracks, -1)
        expected = decoder(z, tokens).split(decoder.vocab_sizes, -1)
    for (track, step), logits in seen.items():
        torch.testing.assert_close(logits, expected[track][:, step], **EXACT)
    assert len(seen) == STEPS * BARS * len(decoder.vocab_sizes)


def test_greedy_free_running_equals_stepping_by_hand(decoder, generator):
    """Decode all steps again and again by teacher forcing, keeping one more token each time."""
    z = random_z(generator)
    tokens = torch.zeros_like(random_tokens(generator, decoder.vocab_sizes))
    with torch.no_grad():
        for step in range(STEPS * BARS):
            picked = [part[:, step].argmax(-1) for part in decoder(z, tokens).split(decoder.vocab_sizes, -1)]
            tokens[:, step] = picked[0] if len(picked) == 1 else torch.stack(picked, -1)
    assert torch.equal(generate(decoder, z, STEPS * BARS), tokens)


def test_a_step_reads_only_the_tokens_before_it(decoder, generator):
    z, tokens = random_z(generator), random_tokens(generator, decoder.vocab_sizes)
    logits = decoder(z, tokens)
    for step in range(STEPS * BARS):
        other = tokens.clone()
        other[:, step] = (tokens[:, step] + 1) % min(decoder.vocab_sizes)
        moved = (decoder(z, other) - logits).abs().amax((0, 2)) > 0
        assert not moved[: step + 1].any()
        assert moved[step + 1 :].any() or step == STEPS * BARS - 1


def test_the_last_token_of_a_bar_crosses_the_bar_line_in_training(generator):
    decoder, z, tokens = hierarchical(generator), random_z(generator), random_tokens(generator)
    other = tokens.clone()
    other[:, STEPS - 1] = (tokens[:, STEPS - 1] + 1) % V
    moved = (decoder(z, other) - decoder(z, tokens)).abs().amax((0, 2))
    assert moved[STEPS] > 1e-3


def test_the_last_token_of_a_bar_crosses_the_bar_line_in_sampling(generator):
    decoder, z, seen = hierarchical(generator), random_z(generator), []
    for last in (0, 1):

        def always(track, step, logits, last=last):
            if step == STEPS:
                seen.append(logits.clone())
            return torch.full((BATCH,), last if step == STEPS - 1 else 2)

        decoder.generate_steps(z, always, STEPS * BARS)
    assert (seen[0] - seen[1]).abs().max() > 1e-3


def test_nothing_but_that_token_crosses_the_bar_line(generator):
    """Change every token of a bar but the last: no later bar may notice, in training or in sampling."""
    decoder, z, tokens = hierarchical(generator), random_z(generator), random_tokens(generator)
    other = tokens.clone()
    other[:, : STEPS - 1] = (tokens[:, : STEPS - 1] + 1) % V
    same, changed = decoder(z, tokens), decoder(z, other)
    assert torch.equal(same[:, STEPS:], changed[:, STEPS:])
    assert not torch.equal(same[:, 1:STEPS], changed[:, 1:STEPS])
    seen = {}
    for name, forced in (("same", tokens), ("changed", other)):

        def follow(track, step, logits, name=name, forced=forced):
            seen[name, step] = logits.clone()
            return forced[:, step]

        decoder.generate_steps(z, follow, STEPS * BARS)
    assert all(torch.equal(seen["same", step], seen["changed", step]) for step in range(STEPS, STEPS * BARS))


def test_bars_have_embeddings_of_their_own(generator):
    embeddings = hierarchical(generator).embed(random_z(generator), BARS)
    assert embeddings.shape == (BATCH, BARS, 7)
    assert (embeddings[:, 0] - embeddings[:, 1]).abs().max() > 1e-2


def test_maps_of_z_are_additions_and_start_where_they_should(generator):
    decoder = flat(generator, per_step_z=True)
    z = random_z(generator)
    expected = torch.stack([z + z @ decoder.z_projections[step].T for step in range(STEPS)], 1)
    torch.testing.assert_close(decoder.z_at_steps(z, STEPS), expected)
    assert not FlatDecoder(config((V,), per_step_z=True), generator).z_projections.any()
    decoder = hierarchical(generator, per_bar_z=True)
    maps, with_maps = decoder.z_projections, decoder.embed(z, BARS)
    decoder.z_projections = None
    torch.testing.assert_close(with_maps - decoder.embed(z, BARS), torch.stack([z @ m.T for m in maps], 1))


def test_a_flat_decoder_reads_the_projection_and_the_number_of_its_bar(generator):
    z = random_z(generator)
    decoder = flat(generator, steps=STEPS * BARS, per_bar_z=True)
    by_bar = [z + z @ projection.T for projection in decoder.z_projections]
    assert len(by_bar) == BARS
    expected = torch.stack([by_bar[step // STEPS] for step in range(STEPS * BARS)], 1)
    torch.testing.assert_close(decoder.z_at_steps(z, STEPS * BARS), expected)
    torch.testing.assert_close(decoder.z_at_steps(z, STEPS + 1), expected[:, : STEPS + 1])  # a bar begun
    counter = flat(generator, steps=STEPS * BARS, bar_counter=True)
    inputs = counter.conditioning_inputs(z, STEPS * BARS, None)
    assert inputs.shape == (BATCH, STEPS * BARS, Z + BARS)
    assert inputs[:, :, Z:].argmax(-1)[0].tolist() == [step // STEPS for step in range(STEPS * BARS)]
    assert torch.equal(inputs[:, :, Z:].sum(-1), torch.ones(BATCH, STEPS * BARS))
    for limited, reason in ((decoder, "projects z for 12"), (counter, "counts 3 bars")):
        with pytest.raises(ValueError, match=reason):
            generate(limited, z, STEPS * BARS + 1)


def test_any_number_of_steps_bars_and_sequences(generator):
    z = torch.randn(1, Z, generator=generator)
    assert generate(flat(generator), z, 7).shape == (1, 7)
    assert generate(hierarchical(generator), z, 5 * STEPS).shape == (1, 5 * STEPS)
    assert generate(hierarchical(generator, TRIO), z.expand(3, Z), STEPS).shape == (3, STEPS, 3)
    with pytest.raises(ValueError, match="not whole bars of 4"):
        generate(hierarchical(generator), z, 6)
    with pytest.raises(ValueError, match="projects z for 4"):
        generate(flat(generator, per_step_z=True), z, 5)
    with pytest.raises(ValueError, match=r"4 bars asked for.* for 3"):
        hierarchical(generator, per_bar_z=True).embed(z, 4)


# ---- choices


def test_temperature_draws_from_the_tempered_softmax(generator):
    logits = torch.randn(V, generator=generator)
    draws = temperature(0.5, generator)(logits.expand(50_000, V))
    shares = torch.bincount(draws, minlength=V) / 50_000
    torch.testing.assert_close(shares, torch.softmax(logits / 0.5, 0), atol=0.01, rtol=0)


def test_top_p_keeps_the_fewest_classes_that_reach_the_mass(generator):
    logits = torch.tensor([0.1, 0.5, 0.15, 0.25]).log().expand(20_000, 4)
    shares = torch.bincount(top_p(0.7, generator)(logits), minlength=4) / 20_000
    torch.testing.assert_close(shares, torch.tensor([0, 2 / 3, 0, 1 / 3]), atol=0.02, rtol=0)
    assert set(top_p(0.76, generator)(logits).tolist()) == {1, 2, 3}
    assert torch.equal(top_p(1e-9, generator)(logits), greedy(logits))
    shares = torch.bincount(top_p(1.0, generator, temperature=0.5)(logits), minlength=4) / 20_000
    torch.testing.assert_close(shares, torch.softmax(2 * logits[0], 0), atol=0.02, rtol=0)


def test_choices_refuse_what_has_no_meaning():
    for value in (0, -1):
        with pytest.raises(ValueError, match="temperature is above 0"):
            temperature(value, None)
        with pytest.raises(ValueError, match="temperature is above 0"):
            top_p(0.5, None, temperature=value)
        with pytest.raises(ValueError, match="mass above 0 and at most 1"):
            top_p(value, None)
    with pytest.raises(ValueError, match="mass above 0 and at most 1"):
        top_p(1.1, None)


def test_the_generator_decides_what_is_drawn(decoder, generator):
    z = random_z(generator)
    draws = [
        generate(decoder, z, STEPS * BARS, temperature(1.0, torch.Generator().manual_seed(seed))) for seed in (4, 4, 5)
    ]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


# ---- scheduled sampling


def test_scheduled_sampling_at_its_two_ends(decoder, generator):
    z, tokens = random_z(generator), random_tokens(generator, decoder.vocab_sizes)
    assert torch.equal(scheduled_sampling(decoder, z, tokens, 0.0, generator), tokens)
    seed = torch.Generator().manual_seed(6)
    mixed = scheduled_sampling(decoder, z, tokens, 1.0, seed)
    seed.manual_seed(6)
    torch.rand(tokens.shape[:2], generator=seed)  # the coins come first
    assert torch.equal(mixed, generate(decoder, z, STEPS * BARS, temperature(1.0, seed)))


def test_the_coin_is_tossed_for_each_example_and_step(generator):
    decoder, tokens = flat(generator), torch.full((400, 20), V - 1)
    torch.nn.init.constant_(decoder.output.bias[V - 1 :], -1e9)  # own samples are never the true class
    mixed = scheduled_sampling(decoder, torch.randn(400, Z, generator=generator), tokens, 0.3, generator)
    sampled = (mixed != V - 1).float()
    assert sampled.mean().item() == pytest.approx(0.3, abs=0.02)
    assert sampled.mean(0).std() < 0.05 and sampled.mean(1).std() < 0.15  # 1 and .46 for one coin a step, or a sequence


def test_scheduled_sampling_gives_the_logits_and_gradients_of_drawing_along_the_way(generator):
    """Against the reference's loop with gradients, given the same coins and the same draws."""
    decoder, z, tokens = flat(generator), random_z(generator).requires_grad_(), random_tokens(generator)
    mixed = scheduled_sampling(decoder, z, tokens, 0.5, generator)
    assert 0 < (mixed != tokens).float().mean() < 1
    drawn = iter(mixed.T)
    loop = reference_flat(decoder, z, mixed.clone(), choose=lambda logits: next(drawn))
    logits = decoder(z, mixed)
    torch.testing.assert_close(logits, loop, **EXACT)
    weights = torch.randn(logits.shape, generator=generator)
    expected = torch.autograd.grad((loop * weights).sum(), [z, *trained(decoder)])
    for ours, theirs in zip(
        torch.autograd.grad((logits * weights).sum(), [z, *trained(decoder)]), expected, strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def trained(module: torch.nn.Module) -> list[torch.nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


# ---- word dropout


def test_word_dropout_replaces_the_asked_share_by_the_start_of_sequence_input(generator):
    tokens = torch.randint(V, (400, 50), generator=generator)
    read = word_dropout(tokens, (V,), 0.3, generator)
    dropped = read != tokens
    assert dropped.float().mean() == pytest.approx(0.3, abs=0.01) and (read[dropped] == V).all()
    trio = random_tokens(generator, TRIO)
    read = word_dropout(trio, TRIO, 0.5, generator)
    steps = (read == torch.tensor(TRIO)).all(-1)  # the tracks of a step are dropped together
    assert 0 < steps.float().mean() < 1 and torch.equal(read[~steps], trio[~steps])
