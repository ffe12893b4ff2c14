"""A trained model: its field, and samples from given z_0."""

import json
from pathlib import Path

import numpy as np

from .crns import Field
from .decoders import decoder
from .paths import PATHS, Line
from .schedules import Schedule
from .sequences import keep, mask_of
from .solvers import GRIDS, states
from .weights import Parameters, Unsupported, known, read, settings


def load(run):
    """The model of a run folder, or of a file with its parameters."""
    path = Path(run)
    arrays, metadata = read(path / "params.safetensors" if path.is_dir() else path)
    if "config" not in metadata or "units" not in metadata:
        raise ValueError(f"{path} holds no run: its metadata lack `config` or `units`")
    return Model(arrays, settings(metadata["config"]), json.loads(metadata["units"]))


class Model:
    """A model that samples as ``triflow generate`` does, with the settings of its configuration."""

    def __init__(self, arrays, config, units):
        self.arrays, self.config, self.units = arrays, config, units
        self._refuse()
        # Training keeps a running mean (EMA) of the learned parameters, which samples use.
        means = {name[len("ema.") :]: all for name, all in arrays.items() if name.startswith("ema.")}
        self.p = Parameters({**arrays, **means} if config["sampling"]["use_ema"] else arrays)
        schedule = lambda: Schedule(self.p.below("noise_schedule"), config["noise_schedule"])
        path = known("path", config["path"]["type"], PATHS)(config["path"], schedule)
        self.line = Line(path, config["objective"])
        self.field = Field(self.p.below("crn"), config["crn"])
        self.decode = decoder(config["decoder"])

    def _refuse(self):
        """Refuses what would make other samples than the reference's."""
        sampling = self.config["sampling"]
        for key in ("projection", "steering"):
            if sampling.get(key):
                raise Unsupported(f"the reference knows no sampling.{key}")
        if sampling.get("repeats", 1) != 1:
            raise Unsupported("the reference takes each step once, without sampling.repeats")
        if self.config["training"].get("precision") == "bf16":
            raise Unsupported("the reference multiplies in float64, and this run in bfloat16")
        if self.config["sampling"].get("match_marginals"):
            raise Unsupported("the reference does not match the distributions of columns")
        if any(name.endswith("quantiles") for name in self.arrays):
            raise Unsupported("the reference knows no columns that are scaled by quantiles")
        plain = all(column.get("type", "number") == "number" for column in self.units["names"]["target"])
        if not plain:
            raise Unsupported("the reference knows no columns but numbers: categories and dates are more")

    def sample(self, z0, labels=None, condition=None, lengths=None, condition_lengths=None, **sampling):
        """Samples [n, …] in the data's own units, from z_0 [n, …] in the model's.

        ``labels`` [n] are classes, ``condition`` [n, …] values in the data's own units. ``lengths``
        and ``condition_lengths`` [n] are those of samples and conditions that are padded sequences;
        without them they have full length. Keys of ``sampling`` change those of the configuration,
        such as ``steps=10, solver={"type": "heun"}``.
        """
        along, last = self.latents(z0, labels, condition, lengths, condition_lengths, **sampling)
        data = self.presented(last)
        return keep(data, mask_of(lengths, data))

    def latents(self, z0, labels=None, condition=None, lengths=None, condition_lengths=None, **sampling):
        """The states of the solver [steps + 1, n, …], and the latents at the end [n, …]."""
        how = {**self.config["sampling"], **sampling}
        z = np.asarray(z0, np.float64)
        given = self._condition(labels, condition)
        # Of latents and conditions that are sequences themselves.
        masks = mask_of(lengths, z), mask_of(condition_lengths, given)
        z, given = keep(z, masks[0]), keep(given, masks[1])
        clock, nodes = self._grid(how)
        field = Guided(self, given, masks, clock, how)
        along = states(field, self.line.path.scale * z, nodes, how["solver"])
        last = along[-1]
        denoise = how["final_denoise"]
        # What noise is left at the end of the path is taken off by one more evaluation.
        if field.level(nodes[-1])[1] > 0 if denoise is None else denoise:
            last = field.data(last, nodes[-1])
        return along, last

    def _grid(self, how):
        """The clock, and the nodes of the steps."""
        grid = how["grid"] or {"type": self.line.clock()}
        clock, nodes = known("step grid", grid["type"], GRIDS)
        return clock, nodes(*self.line.ends(clock), how["steps"], grid)

    def _condition(self, labels, values):
        """Normalised conditions [n, …], or None."""
        shape = self.units["shapes"]["condition"]
        if shape is None:
            return None
        if labels is not None:
            values = np.eye(shape[0])[np.asarray(labels)]
        if values is None:
            raise ValueError("this model needs labels or a condition")
        values = np.asarray(values, np.float64).reshape(-1, *shape)
        mean, deviation = self._unit("condition", "mean"), self._unit("condition", "deviation")
        return (values - mean) / np.where(deviation == 0, 1, deviation)

    def _unit(self, side, what):
        return self.arrays[f"units.{side}.{what}"].astype(np.float64)

    def presented(self, z):
        """Latents [n, …] decoded, in the data's own units."""
        shape = self.units["shapes"]["target"]
        data = self.decode(self.p.below("decoder"), self.config["decoder"], z, shape)
        return data * self._unit("target", "deviation") + self._unit("target", "mean")


class Guided:
    """The field of a model under a condition, with classifier-free guidance, along one clock."""

    def __init__(self, model, condition, masks, clock, how):
        self.model, self.condition, self.masks, self.clock = model, condition, masks, clock
        self.scale, self.interval = how["guidance"], how["guidance_interval"]

    def _output(self, z, reading):
        path, t = self.model.line.path, reading.point.t
        x, seen = path.input(reading.point.b) * z, self._time(t)
        output = self.model.field(x, seen, self.condition, self.masks)
        low, high = self.interval
        if self.condition is None or self.scale == 1 or not low <= t <= high:
            return output
        without = self.model.field(x, seen, None, self.masks)
        return without + self.scale * (output - without)

    def _time(self, t):
        """The time that the network sees: along a learned schedule, log-SNR from 0 to 1."""
        schedule = getattr(self.model.line.path, "schedule", None)
        if schedule is None or not schedule.learned:
            return t
        start, end = schedule.gamma(0.0), schedule.gamma(1.0)
        return (schedule.gamma(t) - start) / (end - start)

    def derivative(self, z, s):
        reading = self.model.line.at(s, self.clock)
        return reading.derivative(z, self._output(z, reading))

    def data(self, z, s):
        reading = self.model.line.at(s, self.clock)
        return reading.data(z, self._output(z, reading))

    def level(self, s):
        point = self.model.line.at(s, self.clock).point
        return point.a, point.b
