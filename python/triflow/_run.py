"""Runs: training, samples, predictions, results."""

from __future__ import annotations

import base64
import html
import json
import os
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

from . import _arrays, _data, _settings, _tables, _triflow
from ._progress import progress as _progress
from ._settings import Config, as_json

PathLike = Union[str, "os.PathLike[str]"]

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


def train(
    config: Config = None,
    *,
    x: Any = None,
    y: Any = None,
    data: Any = None,
    validation: Any = None,
    test: Any = None,
    set: Optional[Mapping[str, Any]] = None,
    out: Optional[PathLike] = None,
    progress: bool = True,
) -> "Run":
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
    given = _settings.layers(config, set)
    folder = None if out is None else Path(out) / "data"
    given += _data.layers(given, folder, x, y, data, validation, test)
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

    def generate(
        self,
        labels: Optional[Sequence[Any]] = None,
        condition: Any = None,
        n: Optional[int] = None,
        seed: Optional[int] = None,
        *,
        seeds: Any = None,
        solver: Any = None,
        steps: Optional[int] = None,
        grid: Any = None,
        guidance: Optional[float] = None,
        noise: Any = None,
        set: Optional[Mapping[str, Any]] = None,
        best: bool = False,
        lengths: Any = None,
        condition_lengths: Any = None,
        save_z0: bool = False,
        details: bool = False,
        data_path: Optional[PathLike] = None,
        progress: bool = True,
    ) -> Any:
        """Draws samples, as ``triflow generate`` does with the same arguments.

        ``n`` samples (100 by default) of each of ``labels``, of every class without them; or ``n`` (1
        by default) under each row of ``condition``: an array, a data frame or the path of a file.
        ``seed`` is that of z_0, by default the run's; ``seeds`` gives each sample its own.
        ``solver``, ``grid`` and ``noise`` are names or dicts with a ``type``; ``set`` maps further
        keys of ``sampling`` to values. ``best`` takes the parameters of the lowest validation loss.

        Returns an array ``[n, …]``, or a data frame where the data are a table with named columns.
        With ``details``, a dict of the arrays that the command writes to an ``.npz``: ``samples``,
        ``labels`` or ``conditions``, ``classes``, ``lengths``; with ``save_z0`` also ``z0``.
        """
        how = _sampling(seed, solver, steps, grid, guidance, noise, set, best, data_path)
        as_table = self._is_table(details or save_z0)
        with tempfile.TemporaryDirectory() as folder:
            asked = None
            if condition is not None:
                asked = _asked("condition", condition, Path(folder), condition_lengths, lengths)
            drawn = _triflow.generate(
                self.path,
                how,
                as_table,
                n=n,
                labels=[self._class(label) for label in _list(labels)],
                condition=asked,
                seeds=_arrays.seeds(seeds),
                save_z0=save_z0,
                progress=_progress(progress),
            )
        return self._received(drawn, as_table, details or save_z0, "samples")

    def predict(
        self,
        x: Any,
        samples: Optional[int] = None,
        seed: Optional[int] = None,
        *,
        seeds: Any = None,
        solver: Any = None,
        steps: Optional[int] = None,
        grid: Any = None,
        guidance: Optional[float] = None,
        noise: Any = None,
        set: Optional[Mapping[str, Any]] = None,
        best: bool = False,
        lengths: Any = None,
        condition_lengths: Any = None,
        details: bool = False,
        data_path: Optional[PathLike] = None,
        progress: bool = True,
    ) -> Any:
        """Predicts the y of ``x``, as ``triflow predict`` does with the same arguments.

        ``x`` is an array, a data frame or the path of a file. Without ``samples`` and ``seed`` the
        prediction is that from z_0 = 0; with ``samples``, the mean of so many draws.

        Returns an array ``[n, …]``, of classes their probabilities; or a data frame where the data
        are a table with named columns, with deviations as ``COLUMN_std`` if there are ``samples``.
        With ``details``, a dict of the arrays that the command writes to an ``.npz``:
        ``predictions``, ``std``, ``labels``, ``classes``.
        """
        how = _sampling(seed, solver, steps, grid, guidance, noise, set, best, data_path)
        as_table = self._is_table(details)
        with tempfile.TemporaryDirectory() as folder:
            drawn = _triflow.predict(
                self.path,
                how,
                as_table,
                x=_asked("x", x, Path(folder), condition_lengths, lengths),
                samples=samples,
                seeds=_arrays.seeds(seeds),
                progress=_progress(progress),
            )
        return self._received(drawn, as_table, details, "predictions")

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

    def _is_table(self, details: bool) -> bool:
        if details:
            return False
        if self._columns is None:
            self._columns = _triflow.has_columns(self.path)
        return self._columns

    def _received(self, drawn: Any, as_table: bool, details: bool, name: str) -> Any:
        if as_table:
            data = self.config.get("data") or {}
            path = data.get("path")
            return _tables.received(drawn, _tables.types_beside(Path(path)) if path else {})
        arrays = _arrays.received(drawn)
        return arrays if details else arrays[name]

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


def _sampling(
    seed: Optional[int],
    solver: Any,
    steps: Optional[int],
    grid: Any,
    guidance: Optional[float],
    noise: Any,
    set: Optional[Mapping[str, Any]],
    best: bool,
    data_path: Optional[PathLike],
) -> Dict[str, Any]:
    """Options of sampling as the compiled module takes them."""
    part = lambda value: None if value is None else as_json(value)
    return {
        "seed": seed,
        "solver": part(solver),
        "steps": steps,
        "grid": part(grid),
        "guidance": guidance,
        "noise": part(noise),
        "set": [f"{key}={as_json(value)}" for key, value in (set or {}).items()],
        "best": best,
        "data_path": None if data_path is None else os.fspath(data_path),
    }
