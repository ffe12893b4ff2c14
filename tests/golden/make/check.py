"""Runs the generators and compares what they make with the golden files.

    python tests/golden/make/check.py [--golden FOLDER] [NAME ...]

Keys, their order, lengths, kinds and texts must agree; numbers must to 1e-12 (relative above 1,
else absolute). Prints a line a file, with the largest difference and its place; exit code 1 if a
file differs by more. The few values of LOOSE are errors of float64 solvers that rounding moves, and
need to agree to 1e-10 and 1e-9 only; they are left out of the largest difference and printed on
lines of their own.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TOLERANCE = 1e-12
LOOSE = {
    "gaussian.cases[14].ivp_max_err": 1e-9,
    "solvers.diffusion.cases[1].convergence.dpmpp_2m.order": 1e-10,
    "solvers.diffusion.cases[3].convergence.dpmpp_2m.order": 1e-10,
    "solvers.diffusion.cases[5].convergence.dpmpp_2m.order": 1e-10,
}
NAMES = [
    "schedules",
    "schedules_logsnr",
    "schedules_published",
    "weight_statistics",
    "conversions",
    "losses",
    "gaussian",
    "solvers",
    "metrics",
    "frechet",
    "tables",
    "networks",
]

Difference = tuple[float, str]
"""|made - stored| / max(1, |stored|), infinite where no number compares, and the place."""


def differences(made: Any, stored: Any, place: str) -> Iterator[Difference]:
    """Differences of all values below `place`."""
    if isinstance(made, dict) and isinstance(stored, dict) and list(made) == list(stored):
        for key in stored:
            yield from differences(made[key], stored[key], f"{place}.{key}")
    elif isinstance(made, list) and isinstance(stored, list) and len(made) == len(stored):
        for i, (x, y) in enumerate(zip(made, stored, strict=True)):
            yield from differences(x, y, f"{place}[{i}]")
    elif type(made) is float and type(stored) is float:
        yield abs(made - stored) / max(1.0, abs(stored)), place
    else:
        yield (0.0 if type(made) is type(stored) and made == stored else float("inf")), place


def check(name: str, folder: Path) -> bool:
    """Compares one file and prints the outcome."""
    text = (folder / f"{name}.json").read_text()
    made = importlib.import_module(name).golden()
    found = list(differences(made, json.loads(text), name))
    strict = [entry for entry in found if entry[1] not in LOOSE]
    loose = [entry for entry in found if entry[1] in LOOSE]
    worst, place = max(strict, key=lambda entry: (entry[0] != entry[0], entry[0]))
    above = sum(not value <= TOLERANCE for value, _ in strict)
    bytes_too = ", the same bytes" if json.dumps(made, indent=1) == text else ""
    fault = f", {above} of {len(strict)} values above {TOLERANCE:g}" if above else ""
    verdict = "DIFFERS" if above else "ok"
    print(f"{name}.json: {verdict}, largest difference {worst:.2g} at {place}{fault}{bytes_too}")
    for value, where in loose:
        print(f"    {where}: {value:.2g}, {LOOSE[where]:g} allowed")
    sys.stdout.flush()
    return not above and all(value <= LOOSE[where] for value, where in loose)


def main() -> int:
    """0 if every file agrees."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    here = Path(__file__).resolve().parent
    parser.add_argument("--golden", type=Path, default=here.parent, help="folder of the golden files")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", default=NAMES, help="files to check, without .json"
    )
    args = parser.parse_args()
    missing = [
        name for name in args.names if name not in NAMES or not (args.golden / f"{name}.json").is_file()
    ]
    if missing:
        parser.error(f"no golden file {', '.join(missing)} in {args.golden}; there are {', '.join(NAMES)}")
    outcomes = [check(name, args.golden) for name in args.names]
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
