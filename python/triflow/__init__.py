"""Train, sample and compare flow matching, diffusion and continuous-time models.

>>> import triflow
>>> run = triflow.train({"training": {"epochs": 20}}, x=x, y=labels)
>>> samples = run.generate(labels=[0, 1], n=500, seed=1, solver="dpmpp", steps=10)
>>> triflow.compare({"training": {"epochs": 20}}, x=x, y=labels, seeds=5).table()
"""

from . import _libtorch

_libtorch.load()

from ._compare import Comparison, compare
from ._errors import ConfigError, DataError, Error, Interrupted
from ._run import Run, load, resume, train
from ._triflow import __version__

__all__ = [
    "Comparison",
    "ConfigError",
    "DataError",
    "Error",
    "Interrupted",
    "Run",
    "__version__",
    "compare",
    "load",
    "resume",
    "train",
]
