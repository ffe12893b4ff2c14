"""Runs: training, samples, predictions, results."""

from __future__ import annotations

import base64
import html
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Union

from . import _arrays, _data, _export, _files, _options, _settings, _tables, _triflow
from ._options import PathLike, Rows, Sampling, takes
from ._progress import progress as _progress
from ._settings import Config, as_json

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: Pictures that stand beside a run's metrics, those that it has.
SHOWN = (
    "conditional_generation.png",
    "unconditional_generation.png",
    "predictions.png",
    "images.png",
    "marginals.png",
    "trajectories.png",
    "loss_trends.png",
)


@takes(Rows)
def train(
    config: Config = None,
    *,
    set: Optional[Mapping[str, Any]] = None,
    out: Optional[PathLike] = None,
    progress: bool = True,
    **rows: Unpack[Rows],
) -> Run:
    """Trains an experiment, and measures and draws the result.

    ``config`` is a dict of the keys of an experiment file, YAML text, or the path of a file; what it
    leaves out has its default. ``set`` maps further dotted keys to values, which win.

    The rows are ``x`` and ``y``: arrays of numpy or torch, or data frames; generation learns x (given
    y, if there is one), regression y from x. ``validation`` and ``test`` are pairs ``(x, y)`` or an
    x; without them, 80, 10 and 10 % of the rows are used for training, validation and test. Or
    ``data`` is a data frame (with ``y`` the name of a column), a dict of arrays as an ``.npz`` has
    them, or the path of a data file. Rows in memory are written to ``output_dir/data``, or to
    ``out/data``, from where a run can be resumed.

    ``out`` is the run folder, where a run that was begun goes on; by default a new one in
    ``output_dir``. Ctrl-C saves a checkpoint and raises :class:`Interrupted`; :func:`resume` goes on.
    """
    given = _data.experiment(config, set, out, rows)
    path = None if out is None else os.fspath(out)
    return Run(_triflow.train(given, path, _progress(progress)))


def resume(
    run: Union["Run", PathLike],
    *,
    epochs: Optional[int] = None,
    steps: Optional[int] = None,
    set: Optional[Mapping[str, Any]] = None,
    data_path: Optional[PathLike] = None,
    progress: bool = True,
) -> "Run":
    """Continues an interrupted run, as if it had never stopped.

    With ``epochs`` or ``steps``, a finished run is trained further, to that many in all, in a run
    folder of its own; ``set`` maps dotted keys to new values, such as ``training.lr_schedule``.
    """
    path = run.path if isinstance(run, Run) else Path(run)
    changes = [(key, as_json(value)) for key, value in (set or {}).items()]
    moved = None if data_path is None else os.fspath(data_path)
    return Run(_triflow.resume(path, moved, epochs, steps, changes, _progress(progress)))


def load(run: PathLike) -> "Run":
    """The run in a folder, trained here or by the command."""
    return Run(run)


class Run:
    """A trained run: its folder, its results, samples and predictions."""

    #: The run folder.
    path: Path

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)
        self._config: Optional[Dict[str, Any]] = None
        self._columns: Optional[bool] = None
        # Also the check that this is a run.
        self.config

    @property
    def config(self) -> Dict[str, Any]:
        """The experiment with all defaults."""
        if self._config is None:
            self._config = json.loads(_triflow.config_of(self.path))
        return self._config

    @property
    def metrics(self) -> Dict[str, Any]:
        """The metrics on held-out rows, as ``metrics.json`` has them; empty before they are
        measured."""
        return self._json("metrics.json")

    @property
    def history(self) -> Any:
        """The loss terms of each epoch, by columns such as ``train_total`` and ``val_flow``: a data
        frame, or without pandas a dict of lists."""
        saved = self._json("history.json")
        columns = {name: saved.get(name, []) for name in ("epoch", "step")}
        for part in ("train", "val"):
            columns.update({f"{part}_{term}": all for term, all in saved.get(part, {}).items()})
        pd = _tables.pandas()
        if pd is None:
            return columns
        whole = {"epoch": "int64", "step": "int64"}
        return pd.DataFrame(columns).astype({name: whole.get(name, "float64") for name in columns})

    @property
    def pictures(self) -> List[Path]:
        """The pictures of the run."""
        return sorted(self.path.glob("*.png"))

    @takes(Sampling)
    def generate(
        self,
        labels: Optional[Sequence[Any]] = None,
        condition: Any = None,
        n: Optional[int] = None,
        *,
        seeds: Any = None,
        given: Any = None,
        start: Any = None,
        at: Optional[float] = None,
        lengths: Any = None,
        condition_lengths: Any = None,
        save_z0: bool = False,
        trajectories: bool = False,
        details: bool = False,
        progress: bool = True,
        **sampling: Unpack[Sampling],
    ) -> Any:
        """Draws samples, as ``triflow generate`` does with the same arguments.

        ``n`` samples (100 by default) of each of ``labels``, of every class without them; or ``n`` (1
        by default) under each row of ``condition``: an array, a data frame or the path of a file.
        ``seed`` is that of z_0, by default the run's; ``seeds`` gives each sample its own.
        ``solver``, ``grid`` and ``noise`` are names or dicts with a ``type``; ``set`` maps further
        keys of ``sampling`` to values. ``best`` takes the parameters of the lowest validation loss.

        ``given`` are rows to complete, in which NaN or an empty cell is unknown, ``n`` times each.
        ``start`` are states to go on from: what :meth:`invert` returns with its ``at``, or z_0.

        Returns an array ``[n, …]``, or a data frame where the data are a table with named columns.
        With ``details``, a dict of the arrays that the command writes to an ``.npz``: ``samples``,
        ``labels`` or ``conditions``, ``classes``, ``lengths``; with ``save_z0`` also ``z0``, and with
        ``trajectories`` the states ``trajectories`` ``[n, times, …]`` of the solver and their
        ``times``.
        """
        details = details or save_z0 or trajectories
        if given is not None or start is not None:
            if seeds is not None or save_z0 or (given is not None and start is not None):
                raise TypeError("seeds and save_z0 are for samples from noise; begin there, at given or at start")
            how = "given" if start is None else "from"
            how_many = {"n": n, "labels": labels, "condition": condition, "trajectories": trajectories}
            both = {"lengths": lengths, "condition_lengths": condition_lengths}
            rows = given if start is None else _states(start, at)
            return self._begun((how, rows, at), {**how_many, **both}, details, progress, sampling)
        if at is not None:
            raise TypeError("at is the time of start")
        as_table = self._is_table(details)
        with _files.folder() as folder:
            asked = None
            if condition is not None:
                asked = _asked("condition", condition, folder, condition_lengths, lengths)
            drawn = _triflow.generate(
                self.path,
                _options.handed(sampling),
                as_table,
                n=n,
                labels=self._classes(labels),
                condition=asked,
                seeds=_arrays.seeds(seeds),
                save_z0=save_z0,
                trajectories=trajectories,
                progress=_progress(progress),
            )
        return self._received(drawn, as_table, details, "samples")

    @takes(Sampling)
    def edit(
        self,
        rows: Any,
        at: float,
        n: Optional[int] = None,
        *,
        labels: Optional[Sequence[Any]] = None,
        condition: Any = None,
        lengths: Any = None,
        condition_lengths: Any = None,
        trajectories: bool = False,
        details: bool = False,
        progress: bool = True,
        **sampling: Unpack[Sampling],
    ) -> Any:
        """Draws variants of rows: noise is added to them up to the time ``at`` in [0, 1), and sampling
        goes on from there, ``n`` times for each row. The later the time, the more is left of the rows.

        ``rows`` are an array, a data frame, a dict of arrays with their conditions (``x`` and ``y``), or
        the path of a file. ``labels`` or ``condition`` take the place of the rows' conditions: one for
        all, or one each. Returns what :meth:`generate` does.
        """
        asked = {"n": n, "labels": labels, "condition": condition, "trajectories": trajectories}
        asked.update(lengths=lengths, condition_lengths=condition_lengths)
        return self._begun(("edit", rows, at), asked, details or trajectories, progress, sampling)

    @takes(Sampling)
    def invert(
        self,
        rows: Any,
        at: Optional[float] = None,
        *,
        labels: Optional[Sequence[Any]] = None,
        condition: Any = None,
        lengths: Any = None,
        condition_lengths: Any = None,
        details: bool = False,
        progress: bool = True,
        **sampling: Unpack[Sampling],
    ) -> Any:
        """Computes the states ``[n, …]`` that lead to rows: the way back along the ODE, to the time
        ``at`` or to the start of the path.

        ``rows``, ``labels`` and ``condition`` are those of :meth:`edit`. With ``details``, a dict of
        ``z``, its time ``t`` and the conditions, which ``generate(start=…)`` takes.
        """
        asked = {"labels": labels, "condition": condition}
        asked.update(lengths=lengths, condition_lengths=condition_lengths)
        return self._begun(("invert", rows, at), asked, details, progress, sampling)

    @takes(Sampling)
    def predict(
        self,
        x: Any,
        samples: Optional[int] = None,
        *,
        seeds: Any = None,
        lengths: Any = None,
        condition_lengths: Any = None,
        details: bool = False,
        progress: bool = True,
        **sampling: Unpack[Sampling],
    ) -> Any:
        """Predicts the y of ``x``, as ``triflow predict`` does with the same arguments.

        ``x`` is an array, a data frame or the path of a file. Without ``samples`` and ``seed`` the
        prediction is that from z_0 = 0; with ``samples``, the mean of so many draws.

        Returns an array ``[n, …]``, of classes their probabilities; or a data frame where the data
        are a table with named columns, with deviations as ``COLUMN_std`` if there are ``samples``.
        With ``details``, a dict of the arrays that the command writes to an ``.npz``:
        ``predictions``, ``std``, ``labels``, ``classes``.
        """
        as_table = self._is_table(details)
        with _files.folder() as folder:
            drawn = _triflow.predict(
                self.path,
                _options.handed(sampling),
                as_table,
                x=_asked("x", x, folder, condition_lengths, lengths),
                samples=samples,
                seeds=_arrays.seeds(seeds),
                progress=_progress(progress),
            )
        return self._received(drawn, as_table, details, "predictions")

    @takes(Sampling)
    def impute(
        self, data: Any, draws: int = 1, *, progress: bool = True, **sampling: Unpack[Sampling]
    ) -> Any:
        """Fills in the missing cells of a table: a data frame or the path of a file.

        The run has to be trained for it (``training.mask_columns``). Known cells stay as they are, and
        so do columns that the model does not use. With several ``draws``, a number is their mean,
        beside ``COLUMN_std``, and a category the most frequent one, beside ``COLUMN_others``.
        Returns a data frame.
        """
        with _files.folder() as folder:
            file = _files.written("data", data, folder, self._learned)
            how = _options.handed(sampling)
            filled = _triflow.impute(self.path, how, file, draws=draws, progress=_progress(progress))
        types = _tables.types(data) if _tables.is_frame(data) and data.ndim == 2 else self._types()
        return _tables.received(filled, types)

    @takes(Sampling)
    def evaluate(
        self,
        data: Any = None,
        *,
        samples: Any = None,
        draws: int = 5,
        points: int = 2000,
        likelihood: Optional[int] = None,
        units: Optional[str] = None,
        metrics: Any = (),
        **sampling: Unpack[Sampling],
    ) -> Dict[str, Any]:
        """Measures the run, as ``triflow evaluate`` does with the same arguments.

        ``data`` are rows with x and y to measure on, by default the run's held-out rows: a dict of
        arrays, a data frame or the path of a file. ``samples`` are generated rows, such as those of
        another program, to measure in place of the run's own. ``likelihood`` is a number of rows whose
        −ln p is measured too; ``metrics`` are further metrics, names or dicts with a ``type``.

        Returns the metrics, as ``metrics.json`` has them.
        """
        with _files.folder() as folder:
            measured = _triflow.evaluate(
                self.path,
                _options.handed(sampling, units, metrics),
                data=_files.written("data", data, folder, self._learned),
                samples=_files.written("samples", samples, folder, self._learned),
                draws=draws,
                points=points,
                likelihood=likelihood,
            )
        return json.loads(measured)

    @takes(Sampling)
    def export(self, out: PathLike, *, sampler: bool = False, **sampling: Unpack[Sampling]) -> Path:
        """Writes the run as a file that other programs evaluate without triflow, and returns its path.

        The ending of ``out`` says the format: ``.pt`` is TorchScript, ``.onnx`` is ONNX, which needs
        the packages torch and onnx (``pip install 'triflow[onnx]'``). The file computes the network
        f(z, t, condition); with ``sampler``, data from z_0 and condition, by all steps of a solver with
        fixed steps. The options of sampling are then part of the file.
        """
        return _export.export(self.path, out, sampler, sampling)

    def resume(self, **options: Any) -> "Run":
        """Continues this run: :func:`triflow.resume`."""
        return resume(self, **options)

    def _class(self, label: Any) -> str:
        """Name of the class of a label: booleans are `true` and `false` in a table, 0 and 1 in an
        array."""
        if isinstance(label, bool) or getattr(label, "dtype", None) == bool:
            known = (self.config.get("data") or {}).get("classes") or []
            same = [str(name) for name in known if str(name).lower() == str(label).lower()]
            return same[0] if same else str(int(label))
        return str(label)

    def _classes(self, labels: Optional[Sequence[Any]]) -> List[str]:
        return [self._class(label) for label in _list(labels)]

    @property
    def _learned(self) -> str:
        """The side of the data that the model learns, x or y."""
        return "x" if self.config["task"] == "generation" else "y"

    def _begun(
        self, beginning: Any, asked: Mapping[str, Any], details: bool, progress: bool, sampling: Any
    ) -> Any:
        """Samples from a beginning ``(how, rows, at)``, or states."""
        how, rows, at = beginning
        other = "y" if self._learned == "x" else "x"
        as_table = how != "invert" and self._is_table(details)
        ends = {f"{self._learned}_lengths": asked["lengths"], f"{other}_lengths": asked["condition_lengths"]}
        with _files.folder() as folder:
            name = {"from": "start", "given": "given"}.get(how, "rows")
            request = {
                "how": how,
                "file": _files.written(name, rows, folder, self._learned, {} if how == "from" else ends),
                "at": at,
                "n": asked.get("n"),
                "labels": self._classes(asked["labels"]),
                "condition": _files.written("condition", asked["condition"], folder, other),
                "trajectories": asked.get("trajectories", False),
            }
            options = _options.handed(sampling)
            drawn = _triflow.start(self.path, options, as_table, request, progress=_progress(progress))
        return self._received(drawn, as_table, details, "z" if how == "invert" else "samples")

    def _is_table(self, details: bool) -> bool:
        if details:
            return False
        if self._columns is None:
            self._columns = _triflow.has_columns(self.path)
        return self._columns

    def _received(self, drawn: Any, as_table: bool, details: bool, name: str) -> Any:
        if as_table:
            return _tables.received(drawn, self._types())
        arrays = _arrays.received(drawn)
        return arrays if details else arrays[name]

    def _types(self) -> Dict[str, Any]:
        """Types of the columns of the data frame that was trained on."""
        path = (self.config.get("data") or {}).get("path")
        return _tables.types_beside(Path(path)) if path else {}

    def _json(self, name: str) -> Dict[str, Any]:
        file = self.path / name
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}

    def __repr__(self) -> str:
        return f"<triflow.Run {self.path}>"

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{html.escape(text)}</td></tr>"
            for name, text in _scores(self.metrics)
        )
        names = [self.path / name for name in SHOWN if (self.path / name).is_file()]
        pictures = "".join(_picture(file) for file in names[:3])
        title = f"<b>{html.escape(str(self.path))}</b>"
        return f"<div>{title}<table>{rows}</table>{pictures}</div>"


def _scores(metrics: Mapping[str, Any]) -> List[Any]:
    """Names and values of metrics, with their deviations over draws."""
    found = []
    for name, value in metrics.items():
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if is_number and not (name.endswith("_deviation") and name[: -len("_deviation")] in metrics):
            spread = metrics.get(f"{name}_deviation")
            more = f" ± {spread:.2g}" if isinstance(spread, (int, float)) else ""
            found.append((name, f"{value:.4g}{more}"))
    return found


def _picture(file: Path) -> str:
    data = base64.b64encode(file.read_bytes()).decode()
    return f'<img alt="{html.escape(file.name)}" src="data:image/png;base64,{data}" style="max-width: 48%">'


def _list(values: Any) -> List[Any]:
    if values is None:
        return []
    if isinstance(values, (str, int)):
        return [values]
    return list(_arrays.array(values).ravel().tolist() if hasattr(values, "dtype") else values)


def _asked(name: str, rows: Any, folder: Path, condition_lengths: Any, lengths: Any) -> Any:
    """Conditions as the compiled module takes them: a path, or rows in memory."""
    if isinstance(rows, (str, os.PathLike)):
        return os.fspath(rows)
    if _tables.is_frame(rows):
        file = folder / f"{name}.feather"
        _tables.write(rows if rows.ndim == 2 else rows.to_frame(), file)
        return str(file)
    return _arrays.rows(name, rows, condition_lengths, lengths)


def _states(start: Any, at: Optional[float]) -> Any:
    """States as the file of them has them: z_0, or those of a time."""
    if isinstance(start, (str, os.PathLike, Mapping)):
        return start
    return {"z0" if at is None else "z": start}
