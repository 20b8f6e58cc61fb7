"""Tests run many tiny networks: on several threads these spend their time waiting for one another."""

import torch

torch.set_num_threads(1)
