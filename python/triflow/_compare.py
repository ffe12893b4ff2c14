"""Comparisons, which the command trains in processes of their own."""

from __future__ import annotations

import html
import json
import logging
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence

from . import _command, _data, _tables, _triflow
from ._errors import Error, Interrupted
from ._options import PathLike, Rows, takes
from ._settings import Config, set_layer

if TYPE_CHECKING:
    from typing_extensions import Unpack


@takes(Rows)
def compare(
    config: Config = None,
    *,
    over: Optional[Mapping[str, Sequence[Any]]] = None,
    seeds: Optional[int] = None,
    budget: Optional[Mapping[str, Any]] = None,
    set: Optional[Mapping[str, Any]] = None,
    out: Optional[PathLike] = None,
    jobs: Optional[int] = None,
    progress: bool = True,
    **rows: Unpack[Rows],
) -> Comparison:
    """Compares variants of an experiment, as ``triflow compare`` does: every combination of the
    values of ``over``, such as ``{"objective": ["flow_matching", "ct"]}``, with ``seeds`` seeds and
    the same ``budget``, such as ``{"epochs": 10}``.

    ``config``, ``set`` and the rows are those of :func:`triflow.train`. ``out`` is the folder of the
    comparison, where finished runs are kept; ``jobs`` the number of runs at once. The runs are
    processes of the command. Ctrl-C stops them in order and raises :class:`Interrupted`; the same
    call with the same ``out`` goes on.
    """
    given = _data.experiment(config, set, out, rows)
    section = {"over": over, "seeds": seeds, "budget": budget}
    given += [
        set_layer(f"comparison.{key}", value, key) for key, value in section.items() if value is not None
    ]
    path = _triflow.plan(given, None if out is None else os.fspath(out))
    _train(path, jobs, progress)
    return Comparison(path)


def _train(folder: Path, jobs: Optional[int], progress: bool) -> None:
    """Trains what is left of a comparison, and writes its report."""
    words = [os.fspath(_command.PROGRAM), "compare", "--resume", os.fspath(folder)]
    words += [] if jobs is None else ["--jobs", str(jobs)]
    # A session of its own, so that Ctrl-C on a terminal reaches it through this process alone.
    child = subprocess.Popen(
        words,
        env=_command.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    said: List[str] = []
    try:
        for line in child.stderr:
            if line.startswith("[INFO"):
                if progress:
                    print(line.split("] ", 1)[-1], end="", file=sys.stderr, flush=True)
            else:
                said.append(line)
        code = child.wait()
    except KeyboardInterrupt:
        child.send_signal(signal.SIGINT)
        child.communicate()
        command = f"triflow compare --resume {shlex.quote(os.fspath(folder))}"
        raise Interrupted(f"interrupted; continue with `{command}`") from None
    text = "".join(said).strip()
    text = text[len("error: ") :] if text.startswith("error: ") else text
    if code == 1 and (folder / "results.json").is_file():
        logging.getLogger("triflow").warning("%s", text)
    elif code != 0:
        raise Error(text or f"the comparison ended with {code}")
    elif text:
        logging.getLogger("triflow").warning("%s", text)


class Comparison:
    """The results of a comparison."""

    #: The folder of the comparison.
    path: Path

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)
        file = self.path / "results.json"
        if not file.is_file():
            raise Error(f"{self.path} is no folder of a comparison with results: it has no results.json")
        #: Everything that ``results.json`` holds.
        self.results: Dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))

    @property
    def report(self) -> Path:
        """The report, a page for a browser."""
        return self.path / "report.html"

    @property
    def metric(self) -> str:
        """Name of the metric that decides."""
        metrics = self.results["metrics"]
        return metrics[0]["name"] if metrics else ""

    def table(self) -> Any:
        """A row for each cell, best first: its settings, mean and deviation of the deciding metric
        over the seeds, the mean rank, the verdict of the paired test, and the cost. A data frame, or
        without pandas a list of dicts."""
        rows = [self._row(cell) for cell in self._cells()]
        pd = _tables.pandas()
        return rows if pd is None else pd.DataFrame(rows)

    def _cells(self) -> List[Dict[str, Any]]:
        sign = -1.0 if self.results["metrics"] and self.results["metrics"][0]["better"] == "more" else 1.0

        def key(cell: Dict[str, Any]) -> float:
            score = _score(cell)
            return sign * score["spread"]["mean"] if score else float("inf")

        return sorted(self.results["cells"], key=key)

    def _row(self, cell: Dict[str, Any]) -> Dict[str, Any]:
        row: Dict[str, Any] = {"cell": cell["name"]}
        row.update(zip(self.results["axes"], cell["settings"]))
        score = _score(cell) or {}
        spread, cost = score.get("spread", {}), cell["cost"]
        row[self.metric] = spread.get("mean")
        row[f"{self.metric}_sd"] = spread.get("sd")
        row["rank"] = score.get("rank")
        row["p"] = score.get("p")
        row["verdict"] = score.get("verdict", "failed" if cell["errors"] else "unknown")
        row["training_seconds"] = cost["training_seconds"]["mean"]
        row["evaluations"] = cost["nfe"]["mean"]
        return row

    def __repr__(self) -> str:
        return f"<triflow.Comparison {self.path}: {self.results['title']}>"

    def _repr_html_(self) -> str:
        cells = self._cells()
        head = "".join(f"<th>{html.escape(name)}</th>" for name in ("cell", self.metric, "", "rank", "verdict"))
        bounds = _bounds(cells)
        body = "".join(_html_row(self._row(cell), self.metric, _score(cell), bounds) for cell in cells)
        link = html.escape(self.report.absolute().as_uri())
        title = html.escape(self.results["title"])
        return (
            f"<div><b>{title}</b><table><tr>{head}</tr>{body}</table>"
            f'<a href="{link}">{html.escape(str(self.report))}</a></div>'
        )


def _score(cell: Mapping[str, Any]) -> Optional[Dict[str, Any]]:
    """A cell's score in the metric that decides; `None` if it was not measured."""
    return cell["metrics"][0] if cell["metrics"] else None


def _bounds(cells: List[Dict[str, Any]]) -> Any:
    """Least and largest end of the intervals."""
    ends: List[float] = []
    for cell in cells:
        score = _score(cell)
        if score:
            ends += score["spread"]["interval"] or [score["spread"]["mean"]]
    return (min(ends), max(ends)) if ends else (0.0, 1.0)


def _html_row(row: Mapping[str, Any], metric: str, score: Any, bounds: Any) -> str:
    number = lambda value: "" if value is None else f"{value:.4g}"
    spread = f" ± {row[metric + '_sd']:.2g}" if row[f"{metric}_sd"] is not None else ""
    cells = [
        html.escape(row["cell"]),
        number(row[metric]) + spread,
        _interval(score, bounds) if score else "",
        number(row["rank"]),
        html.escape(row["verdict"]),
    ]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _interval(score: Mapping[str, Any], bounds: Any) -> str:
    """The mean and its 95 % interval as a picture."""
    least, most = bounds
    place = lambda value: 5 + 150 * (value - least) / ((most - least) or 1.0)
    mean = score["spread"]["mean"]
    low, high = score["spread"]["interval"] or (mean, mean)
    colour = "#0072b2" if score["verdict"] in ("best", "tied") else "#999999"
    return (
        '<svg width="160" height="14">'
        f'<line x1="{place(low):.1f}" x2="{place(high):.1f}" y1="7" y2="7" stroke="{colour}" stroke-width="2"/>'
        f'<circle cx="{place(mean):.1f}" cy="7" r="4" fill="{colour}"/></svg>'
    )
