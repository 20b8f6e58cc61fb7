import torch
import torch.nn.functional as F

from mvae_lib.evaluation.metrics import exact_match, step_accuracy
from mvae_lib.models.autoencoder import Autoencoder, AutoencoderConfig, decode_greedy

TINY = AutoencoderConfig(steps=8, latent=4, embedding=6, hidden=32)


def batch(n=12, seed=0):
    return torch.randint(90, (n, TINY.steps), generator=torch.Generator().manual_seed(seed))


def test_shapes_follow_the_configuration():
    model, x = Autoencoder(TINY), batch()
    assert model.encode(x).shape == (12, 4)
    assert model(x).shape == (12, 8, 90)
    assert decode_greedy(model, torch.zeros(3, 4)).shape == (3, 8)


def test_steps_are_decoded_independently_of_one_another_given_z():
    """The melody reaches the decoder through z alone: two melodies of one code have one reconstruction."""
    model, x = Autoencoder(TINY), batch()
    z = model.encode(x)
    assert torch.equal(model(x), model.decode(z))
    assert torch.allclose(model.decode(z)[:3], model.decode(z[:3]), atol=1e-6)


def test_every_step_of_the_input_reaches_the_code():
    torch.manual_seed(0)
    model, x = Autoencoder(TINY), batch(1)
    for step in range(TINY.steps):
        changed = x.clone()
        changed[0, step] = (changed[0, step] + 1) % 90
        assert not torch.allclose(model.encode(x), model.encode(changed))


def test_it_can_learn_a_batch_by_heart():
    torch.manual_seed(0)
    model, x = Autoencoder(TINY), batch()
    before = step_accuracy(decode_greedy(model, model.encode(x)), x)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(300):
        loss = F.cross_entropy(model(x).transpose(1, 2), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert before < 0.2
    assert exact_match(decode_greedy(model, model.encode(x)), x) == 1.0
