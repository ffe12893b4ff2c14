"""Progress of training and sampling: a line on a terminal, a bar in a notebook, lines elsewhere."""

from __future__ import annotations

import html
import sys
import time
from pathlib import Path
from typing import Any, Optional, Tuple

#: Seconds between two lines where there is neither terminal nor notebook.
INTERVAL = 5.0


def progress(wanted: bool) -> Optional["Progress"]:
    """A new progress; `None` if none is wanted."""
    return Progress() if wanted else None


def in_notebook() -> bool:
    """True in the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and hasattr(shell, "kernel")


class Progress:
    """Shows what the compiled module tells of its work."""

    def __init__(self) -> None:
        self.notebook = in_notebook()
        self.terminal = not self.notebook and sys.stderr.isatty()
        self.handle: Any = None
        self.title = ""
        self.losses = ""
        self.total = self.first = self.epochs = 0
        self.began = self.shown = time.monotonic()
        self.drawn = False

    def start(self, what: str, path: Path, step: int, total: int, epochs: int) -> None:
        self.title, self.first, self.total, self.epochs = what, step, total, epochs
        self.began = time.monotonic()
        if not self.notebook:
            self._line(f"{what}, into {path}")
        self.title = f"{what} in {path}"

    def step(self, step: int, last: Optional[Tuple[int, Optional[float], Optional[float]]]) -> None:
        if last is not None:
            epoch, train, val = last
            losses = ["-" if loss is None else f"{loss:.4f}" for loss in (train, val)]
            self.losses = f"epoch {epoch}/{self.epochs}  loss {losses[0]} (validation {losses[1]})"
        self._show(step, self.total, f"steps  {self.losses}", step == self.total)

    def rows(self, done: int, total: int, what: str) -> None:
        # Quick samples need no progress.
        if done < total or self.drawn:
            self._show(done, total, what, done >= total)
        if done >= total:
            self._clear()

    def note(self, text: str) -> None:
        self._clear()
        if self.notebook:
            self._display(f"<div>{html.escape(text)} …</div>")
        else:
            self._line(text)

    def end(self) -> None:
        if self.notebook:
            self._display(f"<div>{html.escape(self.title)}: {html.escape(self.losses)}</div>")

    def _show(self, done: int, total: int, text: str, last: bool) -> None:
        rate = (done - self.first) / max(time.monotonic() - self.began, 1e-9)
        left = f"  {(total - done) / rate:.0f} s left" if rate > 0 and done < total else ""
        if self.notebook:
            bar = f'<progress value="{done}" max="{total}" style="width: 20em"></progress>'
            self._display(f"<div>{bar} {done}/{total} {html.escape(text)}{left}</div>")
        elif self.terminal:
            full = 30 * done // max(total, 1)
            line = f"{'█' * full}{'░' * (30 - full)} {done}/{total} {text}{left}"
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
            self.drawn = True
        elif last or time.monotonic() - self.shown >= INTERVAL:
            self.shown = time.monotonic()
            self._line(f"{done}/{total} {text}{left}")

    def _line(self, text: str) -> None:
        self._clear()
        print(text, file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self.terminal and self.drawn:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self.drawn = False

    def _display(self, text: str) -> None:
        from IPython.display import HTML, display

        if self.handle is None:
            self.handle = display(HTML(text), display_id=True)
        else:
            self.handle.update(HTML(text))
