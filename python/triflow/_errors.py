"""Exceptions, with the texts that the command shows."""

from __future__ import annotations

from pathlib import Path
from typing import Optional


class Error(Exception):
    """A failure of triflow."""

    def __init__(self, text: str = "", **_: object) -> None:
        super().__init__(text)


class ConfigError(Error, ValueError):
    """An experiment, a comparison or a request asks for something impossible."""

    #: The problem, without place and advice.
    message: str
    #: The dotted key, such as ``crn.network.hidden_dims[0]``; empty where no single key is wrong.
    key: str
    #: File and line, or argument, that set the key.
    place: Optional[str]
    #: Advice on how to correct it.
    help: Optional[str]

    def __init__(
        self,
        text: str = "",
        message: str = "",
        key: str = "",
        place: Optional[str] = None,
        help: Optional[str] = None,
    ) -> None:
        super().__init__(text)
        self.message = message or text
        self.key = key
        self.place = place
        self.help = help


class DataError(Error, ValueError):
    """A data file is missing, unreadable or holds something unexpected."""

    #: The file, or the name of the argument.
    path: Path

    def __init__(self, text: str = "", path: "str | Path" = "") -> None:
        super().__init__(text)
        self.path = Path(path)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C: training has saved a checkpoint and stopped."""

    #: The run folder, with which :func:`triflow.resume` continues; ``None`` if there is none.
    run: Optional[Path]

    def __init__(self, text: str = "", run: "str | Path | None" = None) -> None:
        super().__init__(text)
        self.run = None if run is None else Path(run)
