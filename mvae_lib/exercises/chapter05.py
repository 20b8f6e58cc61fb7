"""The exercises of chapter 05, Two bars with an LSTM."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from mvae_lib.exercises import Verdict, as_array, judge
from mvae_lib.models.tracks import one_hot, shift_right
from mvae_lib.training import schedules

CLASSES, Z_SIZE = 7, 3  # of the small modules that the checks build


def exercise_1(cell_gradient: Callable, steps_until: Callable) -> Verdict:
    """`cell_gradient(forget)`: d c_T / d c_0 with the gates held fixed, `[T, units]` -> `[units]`;
    `steps_until(bias, share)`: the first number of steps after which less than that share is left."""

    def diagnose() -> str | None:
        generator = torch.Generator().manual_seed(0)
        forget, added = torch.rand(2, 6, 4, generator=generator)  # [steps, units] each
        start = torch.randn(4, generator=generator, requires_grad=True)
        state = start
        for f, increment in zip(forget, added, strict=True):
            state = f * state + increment
        (right,) = torch.autograd.grad(state.sum(), start)
        mine, problem = as_array(cell_gradient(forget.clone()), (4,))
        if problem:
            return f"cell_gradient: {problem}"
        wrong = [
            (forget.sum(0), "You added the forget gates; by the chain rule the factors of the steps are multiplied."),
            (forget.mean(0), "You averaged the forget gates; the factors of the steps are multiplied."),
            (forget[-1], "That is one step, d c_T / d c_{T-1}. There are T of them."),
            (forget[1:].prod(0), "One factor is missing: T steps have T forget gates, the first one among them."),
            (forget[:-1].prod(0), "One factor is missing: T steps have T forget gates, the last one among them."),
            (forget.log().sum(0), "That is the logarithm of the gradient."),
            ((1 - forget).prod(0), "A forget gate of 1 keeps the cell state: the factor is f, not 1 - f."),
        ]
        for values, words in wrong:
            if np.allclose(mine, values, atol=1e-5):
                return f"cell_gradient: {words}"
        if not np.allclose(mine, right, atol=1e-5):
            return "cell_gradient: the values differ from the derivative that autograd computes."
        return _wrong_steps(steps_until)

    return judge("5.1", diagnose, "A product of forget gates: the gradient lasts as long as they are near 1.")


def _wrong_steps(steps_until: Callable) -> str | None:
    for bias, share in ((1.0, 0.01), (0.0, 0.01), (3.0, 0.1)):
        exact = math.log(share) / math.log(1 / (1 + math.exp(-bias)))
        mine, problem = as_array(steps_until(bias, share), ())
        if problem:
            return f"steps_until: {problem}"
        if np.isclose(mine, exact, atol=1e-3):
            return "steps_until: right before rounding. Steps are whole: take the next integer above."
        if np.isclose(mine, math.floor(exact)):
            return "steps_until: after so many steps a little more than the share is left; one more step is needed."
        if np.isclose(mine, -exact) or np.isclose(mine, math.ceil(-exact)):
            return "steps_until: the sign is wrong. Both logarithms are negative."
        if bias > 0 and np.isclose(mine, math.ceil(math.log(share) / -bias)):
            return "steps_until: the bias goes through the sigmoid first; the forget gate is sigmoid(bias)."
        if not np.isclose(mine, math.ceil(exact)):
            return f"steps_until({bias:g}, {share:g}) should be {math.ceil(exact)}, and yours is {float(mine):g}."
    return None


def exercise_2(step_at: Callable) -> Verdict:
    """`step_at(probability, k)`: the update at which scheduled sampling replaces tokens with that probability."""

    def diagnose() -> str | None:
        for probability, k in ((0.5, 1000.0), (0.9, 1000.0), (0.25, 50.0)):
            right = k * math.log(k * probability / (1 - probability))
            mine, problem = as_array(step_at(probability, k), ())
            if problem:
                return problem
            wrong = [
                (k * math.log(k * (1 - probability) / probability), "You solved for the probability of a true token."),
                (k * math.log(probability / (1 - probability)), "The factor k in front of the exponential is lost."),
                (math.log(k * probability / (1 - probability)), "The exponent is step / k: multiply by k at the end."),
                (k * math.log10(k * probability / (1 - probability)), "Take the natural logarithm."),
            ]
            for value, words in wrong:
                if np.isclose(mine, value) and not np.isclose(mine, right):
                    return words
            if not np.isclose(schedules.sampling_probability(float(mine), k), probability, atol=1e-3):
                return f"With k = {k:g} {probability:g} is reached at update {right:,.0f}, not {float(mine):,.0f}."
        return None

    return judge("5.2", diagnose, "With k = 1,000, half of the tokens are replaced from update 6,908 on.")


def exercise_3(encoder: Callable) -> Verdict:
    """`BidirectionalEncoder(vocabulary, units, z_size)`: tokens `[batch, steps]` -> mu, sigma, each `[batch, z]`."""

    @torch.no_grad()
    def diagnose() -> str | None:
        made, _, tokens = _with_large_weights(encoder)
        return _wrong_encoder(made, tokens, CLASSES)

    return judge("5.3", diagnose, "Both final states, and a sigma that is positive: the library's encoder.")


def exercise_4(decoder: Callable) -> Verdict:
    """`TeacherForcedDecoder(vocabulary, units, z_size)`: z, tokens `[batch, steps]` -> logits of each step."""

    @torch.no_grad()
    def diagnose() -> str | None:
        made, z, tokens = _with_large_weights(decoder)
        return _wrong_decoder(made, z, tokens, CLASSES)

    return judge("5.4", diagnose, "Each step reads z and the token before it: the library's decoder.")


def _with_large_weights(module: Callable) -> tuple[nn.Module, Tensor, Tensor]:
    """A module of the learner's with weights that make mistakes visible, latent vectors and tokens."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = module(CLASSES, 5, Z_SIZE)
        for parameter in made.parameters():
            parameter.normal_(0, 0.7)
        return made, torch.randn(4, Z_SIZE), torch.randint(0, CLASSES, (4, 6))


def _wrong_encoder(made: nn.Module, tokens: Tensor, classes: int) -> str | None:
    for name in ("lstm", "mu", "sigma"):
        if not isinstance(getattr(made, name, None), nn.Module):
            return f"Your module has no layer called {name!r}."
    if not (isinstance(made.lstm, nn.LSTM) and made.lstm.bidirectional and made.lstm.batch_first):
        return "The layer lstm should be an nn.LSTM with batch_first=True and bidirectional=True."
    if made.lstm.bias_ih_l0.requires_grad:
        return "Your nn.LSTM has two biases that are added; train one, and freeze those named bias_ih."
    made_of = made(tokens.clone())
    if not isinstance(made_of, tuple) or len(made_of) != 2:
        return "Your forward should return two tensors, mu and sigma."
    shape = (len(tokens), made.mu.out_features)
    (mu, problem), (sigma, other) = (as_array(value, shape) for value in made_of)
    if problem or other:
        return problem or other
    output, (h, c) = made.lstm(one_hot(tokens, (classes,)))
    right = torch.cat([h[0], h[1]], -1)
    summaries = [
        (
            output[:, -1],
            "You took output[:, -1], where the backward direction has read one step only: take h[0], h[1].",
        ),
        (output[:, 0], "You took output[:, 0], where the forward direction has read one step only: take h[0], h[1]."),
        (torch.cat([h[1], h[0]], -1), "The two directions are exchanged: forward first, then backward."),
        (torch.cat([c[0], c[1]], -1), "You took the cell states c; the summary is made of h."),
        (output.mean(1), "You averaged over the steps; the summary is made of the final states."),
    ]
    for summary, words in summaries:
        if np.allclose(mu, made.mu(summary), atol=1e-5) and not np.allclose(mu, made.mu(right), atol=1e-5):
            return words
    if not np.allclose(mu, made.mu(right), atol=1e-5):
        return "Your mu differs from mu(final states), with one-hot tokens as the LSTM's inputs."
    raw = made.sigma(right)
    positive = [
        (raw, "sigma must be positive: apply softplus to the linear layer."),
        (raw.exp(), "sigma is softplus of the linear layer, not exp."),
        ((raw / 2).exp(), "sigma is softplus of the linear layer; it is no log-variance."),
    ]
    for values, words in positive:
        if np.allclose(sigma, values, atol=1e-5):
            return f"{words}"
    if not np.allclose(sigma, nn.functional.softplus(raw), atol=1e-5):
        return "Your mu is right, and sigma differs from softplus(sigma(final states))."
    return None


def _wrong_decoder(made: nn.Module, z: Tensor, tokens: Tensor, classes: int) -> str | None:
    for name in ("start", "lstm", "output"):
        if not isinstance(getattr(made, name, None), nn.Module):
            return f"Your module has no layer called {name!r}."
    if made.lstm.bias_ih_l0.requires_grad:
        return "Freeze the second bias, lstm.bias_ih_l0, as in the encoder."
    mine, problem = as_array(made(z.clone(), tokens.clone()), (*tokens.shape, classes))
    if problem:
        return f"{problem}"
    first = made.start(z).tanh()
    c, h = first.chunk(2, -1)
    shifted = one_hot(shift_right(tokens, (classes,)), (classes,))
    at_each_step = z[:, None].expand(-1, tokens.shape[1], -1)

    def logits(previous: Tensor, beside: Tensor, h: Tensor, c: Tensor) -> Tensor:
        state = h[None].contiguous(), c[None].contiguous()
        return made.output(made.lstm(torch.cat([previous, beside], -1), state)[0])

    if np.allclose(mine, logits(shifted, at_each_step, h, c), atol=1e-5):
        dropped = tokens.clone()
        dropped[:, 2] = classes
        again, problem = as_array(made(z.clone(), dropped), (*tokens.shape, classes))
        zeros = one_hot(shift_right(dropped, (classes,)), (classes,))
        if problem or not np.allclose(again, logits(zeros, at_each_step, h, c), atol=1e-5):
            return "Right for tokens; the class `vocabulary` should be read as zeros anywhere."
        return None
    unshifted, zeros = one_hot(tokens, (classes,)), torch.zeros_like(at_each_step)
    first_class = one_hot(torch.cat([torch.zeros_like(tokens[:, :1]), tokens[:, :-1]], 1), (classes,))
    once = torch.cat([at_each_step[:, :1], zeros[:, 1:]], 1)
    raw_c, raw_h = made.start(z).chunk(2, -1)
    wrong = [
        (logits(unshifted, at_each_step, h, c), "Step t reads the token that it is to predict: shift by one step."),
        (logits(first_class, at_each_step, h, c), "The first step reads zeros, and yours reads the class 0, no event."),
        (logits(shifted, at_each_step, c, h), "h and c are exchanged: the first half of start(z) is c."),
        (logits(shifted, at_each_step, raw_h, raw_c), "The tanh of the initial state is missing."),
        (logits(shifted, at_each_step, 0 * h, 0 * c), "The LSTM starts from zeros; its initial state comes from z."),
        (logits(shifted, zeros, h, c), "z is missing beside the tokens: each step reads [token before it, z]."),
        (logits(shifted, once, h, c), "Only the first step reads z; every step does."),
    ]
    for values, words in wrong:
        if np.allclose(mine, values, atol=1e-5):
            return f"{words}"
    return "The logits differ from output(lstm([token before, z])) from the state tanh(start(z))."


def exercise_5(greedy_and_best: Callable) -> Verdict:
    """`greedy_and_best(first, then)`: the pairs of tokens that greedy decoding writes, and the likeliest.

    `first` `[V]` holds p(x_1), `then` `[V, V]` holds p(x_2 | x_1), a row for each x_1.
    """

    def diagnose() -> str | None:
        rng = np.random.default_rng(0)
        for trial in range(20):
            first, then = rng.dirichlet(np.ones(4)), rng.dirichlet(np.full(4, 0.4), size=4)
            if trial == 0:
                first = np.array([0.4, 0.35, 0.15, 0.1])
                then = np.array([[0.3, 0.3, 0.25, 0.15], [0.01, 0.97, 0.01, 0.01], [0.25] * 4, [0.25] * 4])
            mine = greedy_and_best(first.copy(), then.copy())
            if mine is None:
                return "Your function returned None: is the `return` missing?"
            if np.shape(mine) != (2, 2):
                return f"Return two pairs of tokens; what came back has the shape {list(np.shape(mine))}."
            found = [tuple(int(token) for token in pair) for pair in mine]
            start = int(first.argmax())
            greedy = start, int(then[start].argmax())
            joint = first[:, None] * then
            best = tuple(int(i) for i in np.unravel_index(joint.argmax(), joint.shape))
            if found == [greedy, best]:
                continue
            if found == [best, greedy] and best != greedy:
                return "The two pairs are exchanged: greedy first."
            if found[0] != greedy:
                return "Greedy decoding takes the likeliest first token, then the likeliest token after that one."
            if found[1] == greedy:
                return "The likeliest pair has the largest product p(x_1) p(x_2 | x_1); it may begin otherwise."
            column = np.unravel_index(then.argmax(), then.shape)
            if found[1] == tuple(int(i) for i in column):
                return "You took the largest p(x_2 | x_1) alone; the pair's probability also has the factor p(x_1)."
            return f"The likeliest pair is {best}, and yours is {found[1]}."
        return None

    return judge("5.5", diagnose, "Greedy decoding takes the likeliest step each time, not the likeliest melody.")
