"""Named configurations: those of the reference's table, and this course's own, sized for two CPU cores.

A configuration is two frozen dataclasses: what the model is, and how it is trained. Both can be changed with
`dataclasses.replace`, and both go to JSON and back (`to_dict`, `from_dict`).

Chapter: 08. Source: Roberts et al. 2018, section 5, and the configurations of its public reference implementation.
"""

import math
from dataclasses import asdict, dataclass, field, fields
from types import MappingProxyType
from typing import Any, Literal

from mvae_lib._json import from_json
from mvae_lib.music.melody import STEPS_PER_BAR, VOCABULARY

DRUM_VOCABULARY = 512  # nine drums, each struck or not
MAX_SIZE = 65_536  # of any layer or sequence: the reference's largest is 2,048
CHORD_VOCABULARY = 49  # no chord, and 12 roots in major, minor, augmented and diminished


@dataclass(frozen=True)
class ModelConfig:
    """What the model is. Raises ValueError where the parts do not fit together."""

    steps: int = 2 * STEPS_PER_BAR  # two bars: long enough for a motif, short enough for one LSTM
    representation: str = "melody"  # of the music, by its name in `music.representation`
    vocab_sizes: tuple[int, ...] = (VOCABULARY,)  # classes of each track
    encoder_reads: Literal["one-hot", "drum-bits"] = "one-hot"  # drums: struck together should look alike
    control: int = 0  # depth of a signal that encoder and decoder read at each step (chords, key); 0: none
    z_size: int = 256  # the prior's dimensions; those that are not needed become inactive
    encoder_units: int = 512  # in each direction
    encoder_layers: int = 1
    decoder_units: int = 256  # of the core decoder, where there is a conductor
    decoder_layers: int = 2
    conductor_units: int = 0  # 0: a flat decoder; above: a hierarchical one, and the size of a bar's embedding
    conductor_layers: int = 0
    steps_per_bar: int = STEPS_PER_BAR  # what the core decoder writes from one embedding
    bar_encoder: bool = False  # ours: the encoder reads each bar by itself, and mu and sigma see all of them
    per_step_z: bool = False  # ours: a linear map of z for each step, added to what the decoder reads of z
    per_bar_z: bool = False  # ours: a linear map of z for each bar, added to the bar's embedding (flat decoder: to z)
    bar_counter: bool = False  # ours: a flat decoder also reads the number of the bar, as a one-hot vector
    scaled_init: bool = False  # ours: larger initial weights, several times as fast in the first minutes

    def __post_init__(self):
        may_be_zero = ("control", "conductor_units", "conductor_layers")
        for name in (item.name for item in fields(self) if item.type is int):
            _check_range(self, name, 0 if name in may_be_zero else 1, 64 if name.endswith("layers") else MAX_SIZE)
        if not self.vocab_sizes or min(self.vocab_sizes) < 2 or max(self.vocab_sizes) > MAX_SIZE:
            raise ValueError(
                f"vocab_sizes must name at least one track, each of 2 classes or more, not {self.vocab_sizes}"
            )
        if self.encoder_reads not in ("one-hot", "drum-bits"):
            raise ValueError(f"encoder_reads must be 'one-hot' or 'drum-bits', not {self.encoder_reads!r}")
        if self.encoder_reads == "drum-bits" and self.vocab_sizes != (DRUM_VOCABULARY,):
            raise ValueError(
                f"drum-bits are the bits of one track of {DRUM_VOCABULARY} classes, not {self.vocab_sizes}"
            )
        if (self.conductor_units == 0) != (self.conductor_layers == 0):
            raise ValueError("a conductor needs both units and layers; for a flat decoder, set both to 0")
        by_bar = self.hierarchical or self.bar_encoder or self.bar_counter or self.per_bar_z
        if by_bar and self.steps % self.steps_per_bar:
            raise ValueError(f"{self.steps} steps are not whole bars of {self.steps_per_bar}")
        if self.bar_counter and self.hierarchical:
            raise ValueError("bar_counter is for flat decoders; a conductor's embeddings tell the bars apart")
        if self.per_bar_z and self.per_step_z and not self.hierarchical:
            raise ValueError("a flat decoder projects z for each step or for each bar, not both")

    @property
    def hierarchical(self) -> bool:
        """True where a conductor stands between z and the (core) decoder."""
        return self.conductor_units > 0

    @property
    def bars(self) -> int:
        """Whole bars in `steps`."""
        return self.steps // self.steps_per_bar


@dataclass(frozen=True)
class TrainingConfig:
    """How the model is trained; the defaults are the reference's. Steps of training are called updates here."""

    updates: int = 200_000
    batch: int = 512
    learning_rate: float = 1e-3  # Adam's own default
    final_learning_rate: float = 1e-5
    learning_rate_decay: float = 0.9999  # per update: halfway to the final rate after 6,931 of them
    clip_norm: float = 1.0  # an LSTM's gradient can explode; its direction is still useful
    skip_norm: float = 10_000.0  # the whole update is dropped where the gradient norm is this large
    max_beta: float = 1.0  # 1 is the ELBO; below 1, a nat of rate has less weight than a nat of distortion
    beta_rate: float = 0.0  # beta = (1 - beta_rate^update) * max_beta; 0: no warm-up
    free_bits: float = 0.0  # of the total KL of a sequence, in bits
    sampling_k: float | None = None  # of the inverse sigmoid of scheduled sampling; None: teacher forcing only
    word_dropout: float = 0.0  # share of the previous tokens that the decoder reads as zeros while it is trained
    transposition: int = 0  # each melody is moved by up to so many semitones either way, sampled anew each time
    curriculum: tuple[tuple[int, int], ...] = ()  # ours: (bars, updates), shorter windows first
    cooldown: float = 0.0  # share of the updates, at the end, over which the learning rate falls to its final value

    def __post_init__(self):
        for name, (least, most) in _TRAINING_RANGES.items():
            if name != "sampling_k" or self.sampling_k is not None:
                _check_range(self, name, least, most)
        if any(len(stage) != 2 or min(stage) < 1 for stage in self.curriculum):
            raise ValueError(f"each stage of a curriculum is (bars, updates), both at least 1, not {self.curriculum}")


# Beyond these, a configuration is a typing error or a damaged file; math.inf switches clipping or dropping off.
_TRAINING_RANGES = {
    "updates": (0, 10**9),
    "batch": (1, 2**20),
    "learning_rate": (0, 10),
    "final_learning_rate": (0, 10),
    "learning_rate_decay": (0, 1),
    "clip_norm": (0, math.inf),
    "skip_norm": (0, math.inf),
    "max_beta": (0, 1e6),
    "beta_rate": (0, 1),
    "free_bits": (0, 1e6),
    "sampling_k": (1e-3, 1e9),
    "word_dropout": (0, 1),
    "transposition": (0, 48),
    "cooldown": (0, 1),
}


def _check_range(config: Any, name: str, least: float, most: float) -> None:
    """Raise ValueError that names the field; NaN lies in no range."""
    if not least <= getattr(config, name) <= most:
        raise ValueError(f"{name} must lie in {least} to {most}, not {getattr(config, name):.20g}")


@dataclass(frozen=True)
class Configuration:
    """A model and its training, under a name."""

    name: str
    model: Any = field(default_factory=ModelConfig)  # or the configuration of another class of models
    training: TrainingConfig = field(default_factory=TrainingConfig)


def list_configs() -> list[str]:
    """The names of all configurations: the reference's first, then this course's own."""
    return list(_CONFIGURATIONS)


def get_config(name: str) -> Configuration:
    """The configuration of that name. Raises ValueError that lists the names there are."""
    if name not in _CONFIGURATIONS:
        raise ValueError(f"no configuration is called {name!r}; there are: {', '.join(list_configs())}")
    return _CONFIGURATIONS[name]


def to_dict(configuration: Configuration) -> dict[str, Any]:
    """The configuration as nested dictionaries that `json.dumps` takes."""
    return asdict(configuration)


def from_dict(data: dict[str, Any], model: type = ModelConfig) -> Configuration:
    """The inverse of `to_dict`, also after JSON; `model`: the class of the model's configuration.

    Raises ValueError for a key too many, one missing, a wrong type or a value out of range.
    """
    return from_json(Configuration, data, "a configuration", {"model": model}, _LATER_KEYS)


# Added since the first checkpoints were written: where one of these is missing, its default is meant.
_LATER_KEYS = frozenset({"representation", "curriculum", "cooldown", "bar_counter", "word_dropout"})

_TRIO = (VOCABULARY, VOCABULARY, DRUM_VOCABULARY)  # melody, bass, drums
_BIG_2BAR = {"z_size": 512, "encoder_units": 2048, "decoder_units": 2048, "decoder_layers": 3}
_FLAT_16BAR = {**_BIG_2BAR, "steps": 16 * STEPS_PER_BAR, "encoder_layers": 2}
_HIERARCHICAL_16BAR = {
    **_FLAT_16BAR,
    "decoder_units": 1024,
    "decoder_layers": 2,
    "conductor_units": 1024,
    "conductor_layers": 2,
}
_DRUMS = {"representation": "drums", "vocab_sizes": (DRUM_VOCABULARY,), "encoder_reads": "drum-bits"}

_REFERENCE = (
    Configuration(
        "cat-mel_2bar_small",
        ModelConfig(),
        TrainingConfig(max_beta=0.2, beta_rate=0.99999, sampling_k=1000, transposition=5),
    ),
    Configuration(
        "cat-mel_2bar_big",
        ModelConfig(**_BIG_2BAR),
        TrainingConfig(max_beta=0.5, beta_rate=0.99999, sampling_k=1000, transposition=5),
    ),
    Configuration(
        "cat-mel_2bar_med_chords",
        ModelConfig(control=CHORD_VOCABULARY, encoder_units=1024, decoder_units=512, decoder_layers=3),
        TrainingConfig(transposition=3),
    ),
    Configuration(
        "cat-drums_2bar_small",
        ModelConfig(**_DRUMS),
        TrainingConfig(max_beta=0.2, free_bits=48, sampling_k=1000),
    ),
    Configuration(
        "cat-drums_2bar_big",
        ModelConfig(**_DRUMS, **_BIG_2BAR),
        TrainingConfig(max_beta=0.2, free_bits=48, sampling_k=1000),
    ),
    Configuration("flat-mel_16bar", ModelConfig(**_FLAT_16BAR), TrainingConfig(max_beta=0.2, free_bits=256)),
    Configuration("hierdec-mel_16bar", ModelConfig(**_HIERARCHICAL_16BAR), TrainingConfig(max_beta=0.2, free_bits=256)),
    Configuration(
        "flat-trio_16bar",
        ModelConfig(representation="trio", vocab_sizes=_TRIO, **_FLAT_16BAR),
        TrainingConfig(batch=256),
    ),
    Configuration(
        "hierdec-trio_16bar",
        ModelConfig(representation="trio", vocab_sizes=_TRIO, **_HIERARCHICAL_16BAR),
        TrainingConfig(batch=256, max_beta=0.2, free_bits=256),
    ),
)

# Many small updates, at a constant learning rate that falls linearly at the end: what one core can do in half an hour.
_SHORT = {
    "updates": 10_000,
    "batch": 64,
    "learning_rate": 2e-3,
    "final_learning_rate": 2e-5,
    "learning_rate_decay": 1.0,
    "cooldown": 0.4,
    "beta_rate": 0.999,
    "transposition": 5,
    "curriculum": ((1, 2_000),),
}
_SMALLER = {"z_size": 64, "encoder_units": 128, "decoder_layers": 1, "per_step_z": True, "scaled_init": True}
_SHORTER = {
    "updates": 6_000,
    "batch": 64,
    "learning_rate": 4e-3,
    "learning_rate_decay": 0.999,
    "beta_rate": 0.998,
    "transposition": 5,
}
_SHORTEST = _SHORTER | {"updates": 3_000}
_SMALL = {
    "z_size": 64,
    "encoder_units": 256,
    "decoder_units": 384,
    "decoder_layers": 1,
    "per_step_z": True,
    "scaled_init": True,
}
_LONG = {  # the objective of the reference's 16-bar models, with twice its free bits: 64 for two bars, as mel_2bar has
    "updates": 4_000,
    "batch": 32,
    "learning_rate": 3e-3,
    "learning_rate_decay": 0.9994,
    "max_beta": 0.2,
    "free_bits": 512.0,
    "transposition": 5,
}
_PROJECTED = {
    "steps": 16 * STEPS_PER_BAR,
    "z_size": 256,
    "encoder_units": 96,
    "bar_encoder": True,
    "per_bar_z": True,
    "decoder_layers": 1,
    "scaled_init": True,
}
_MATCHED = {
    "steps": 16 * STEPS_PER_BAR,
    "z_size": 128,
    "encoder_units": 192,
    "decoder_layers": 1,
    "scaled_init": True,
}
# A curriculum over length (ours): from 16 bars on the first update, the conductor learns next to nothing in hours.
_STAGED = {
    "updates": 18_000,
    "batch": 8,  # of 16 bars each; of shorter windows as many more
    "learning_rate": 2e-3,
    "final_learning_rate": 2e-5,
    "learning_rate_decay": 1.0,
    "cooldown": 0.3,
    "beta_rate": 0.999,
    "free_bits": 544.0,
    "word_dropout": 0.3,
    "transposition": 5,
    "curriculum": ((1, 3_000), (2, 4_000), (4, 3_000), (8, 3_000)),
}
_COURSE = (
    Configuration("mel_2bar", ModelConfig(**_SMALL), TrainingConfig(free_bits=58.0, **_SHORT)),
    # A smaller model at a low rate: beta is 1 beyond 12 free bits, so that samples of the prior decode to melodies.
    Configuration("mel_2bar_lokl", ModelConfig(**_SMALLER), TrainingConfig(free_bits=12.0, **_SHORTER)),
    # The same with beta 0: sigma shrinks to nearly 0, and what is left is an autoencoder.
    Configuration("mel_2bar_ae", ModelConfig(**_SMALLER), TrainingConfig(max_beta=0.0, **_SHORTEST)),
    # Matched models: equal in all but the decoder, with equally many parameters within 1 %, so that a difference
    # between them is one of architecture. Both are the paper's: an encoder over the whole sequence, a conductor alone.
    Configuration("mel_16bar_flat", ModelConfig(decoder_units=424, **_MATCHED), TrainingConfig(**_STAGED)),
    Configuration(
        "mel_16bar_hier",
        ModelConfig(decoder_units=224, conductor_units=320, conductor_layers=1, **_MATCHED),
        TrainingConfig(**_STAGED),
    ),
    # Ours: the encoder reads each bar by itself, and each bar's embedding has a projection of z of its own.
    Configuration(
        "mel_16bar_hier_projected",
        ModelConfig(decoder_units=256, conductor_units=256, conductor_layers=1, **_PROJECTED),
        TrainingConfig(**_LONG),
    ),
)
_CONFIGURATIONS = MappingProxyType({item.name: item for item in (*_REFERENCE, *_COURSE)})
