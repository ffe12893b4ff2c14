"""A second implementation of sampling, in numpy alone, to read and to check against.

>>> from triflow import reference
>>> model = reference.load("artifacts/…")
>>> drawn = numpy.load("samples.npz")                     # of `triflow generate --save-z0`
>>> model.sample(drawn["z0"], labels=drawn["labels"])     # drawn["samples"], up to rounding

It reads ``params.safetensors`` and computes in float64 what the documents say, without LibTorch and
without the compiled module; the folder also works on its own, copied to another place. Anything that
it does not know is an :class:`Unsupported`, never a different result.

One subject a file: ``weights`` reads the file, ``schedules`` and ``paths`` hold the mathematics of
noise, ``vectors``, ``images`` and ``sequences`` the networks, ``crns`` what is made of their outputs,
``solvers`` the steps, ``decoders`` the way to data, ``model`` puts them together.
"""

from .model import Model, load
from .weights import Unsupported

__all__ = ["Model", "Unsupported", "load"]
