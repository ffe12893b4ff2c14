"""Makes tables.json: metrics of generated rows of tables beside real ones.

`shapes` and `trends` are what the column shapes and column pair trends of sdmetrics give, a score a
column and a pair, null where there is none; `shapes_mean` and `trends_mean` are its totals.
`detection` is its logistic detection, with rows i mod 3 as folds in place of random ones. `efficacy`
has for each column as target the macro F1 of scikit-learn's logistic regression or the R² of its
ridge regression on the real rows, trained on the generated and on the training rows: missing numbers
are the mean of the training rows, categories one-hot with one for missing ones, both standardised.

Tables: numpy's default_rng(24). Categories are codes, times seconds since 1970-01-01, null a missing
cell. `edges` has columns that are constant or missing on a side; detection and efficacy leave it out.
"""

import warnings

import numpy as np
import pandas as pd
from sdmetrics.reports.single_table._properties import ColumnPairTrends, ColumnShapes
from sdmetrics.single_table import LogisticDetection
from sdmetrics.utils import HyperTransformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, r2_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

import common

DAY = 86400.0
COLUMNS = [
    {"name": "mass", "type": "number"},
    {"name": "count", "type": "number"},
    {"name": "seen", "type": "time"},
    {"name": "wild", "type": "flag", "names": ["no", "yes"]},
    {"name": "kind", "type": "category", "names": ["red", "green", "blue"]},
    {"name": "size", "type": "category", "names": ["small", "middle", "large", "huge"]},
]
EDGES = [
    {"name": "same", "type": "number"},
    {"name": "lost", "type": "number"},
    {"name": "bare", "type": "category", "names": ["a", "b"]},
    {"name": "new", "type": "category", "names": ["a", "b", "c"]},
    {"name": "plain", "type": "number"},
]
SDTYPES = {"number": "numerical", "time": "datetime", "flag": "boolean", "category": "categorical"}

generator = np.random.default_rng(24)


def rows(n: int, shift: float, gaps: float) -> np.ndarray:
    """`n` rows of COLUMNS, with missing cells in four of them."""
    kind = generator.integers(0, 3, n)
    mass = np.round(10 + 3 * kind + shift + 2 * generator.standard_normal(n), 2)
    count = np.round(np.exp(0.1 * mass + 0.5 * generator.standard_normal(n)))
    seen = DAY * np.round(19000 + 40 * mass + 100 * generator.standard_normal(n))
    wild = (mass + 2 * generator.standard_normal(n) > 13 + shift).astype(float)
    size = np.clip(np.round((mass - 8) / 3 + generator.standard_normal(n) / 2), 0, 3)
    table = np.stack([mass, count, seen, wild, kind.astype(float), size], 1)
    for column in [0, 2, 3, 5]:
        table[generator.random(n) < gaps, column] = np.nan
    return table


def edges() -> tuple[np.ndarray, np.ndarray]:
    """Real and generated rows of EDGES."""
    n, nan = 12, np.nan
    plain = np.round(generator.standard_normal((2, n)), 2)
    real = np.stack([np.arange(n) % 4, np.arange(n) * 1.5, np.arange(n) % 2, np.arange(n) % 2, plain[0]], 1)
    made = np.stack(
        [np.full(n, 2.0), np.full(n, nan), np.full(n, nan), np.arange(n) % 3, plain[1]], 1
    )
    real[3, 0] = nan
    return real, made


def frame(table: np.ndarray, columns: list) -> pd.DataFrame:
    """The table as sdmetrics takes it: categories by name, times as such."""

    def cells(column: dict, values: np.ndarray):
        if column["type"] == "time":
            return pd.to_datetime(pd.Series(values), unit="s")
        if "names" in column:
            names = [None if np.isnan(v) else column["names"][int(v)] for v in values]
            return pd.Series(names, dtype=object)
        return pd.Series(values)

    return pd.DataFrame({c["name"]: cells(c, table[:, i]) for i, c in enumerate(columns)})


def similarity(real: pd.DataFrame, made: pd.DataFrame, columns: list) -> dict:
    """Scores of the columns and of the pairs, and their means."""
    metadata = {"columns": {c["name"]: {"sdtype": SDTYPES[c["type"]]} for c in columns}}
    found = {}
    for key, metric in [("shapes", ColumnShapes()), ("trends", ColumnPairTrends())]:
        mean = metric.get_score(real, made, metadata)
        scores = [None if np.isnan(score) else score for score in metric.details["Score"]]
        found |= {key: scores, f"{key}_mean": mean}
    return found


def detection(real: pd.DataFrame, made: pd.DataFrame) -> dict:
    """Areas under the ROC curve of the folds, and the score."""
    transformer = HyperTransformer()
    sides = [transformer.fit_transform(real.copy()), transformer.transform(made.copy())]
    x = np.concatenate([side.to_numpy() for side in sides]).astype(float)
    y = np.repeat([1, 0], [len(side) for side in sides])
    fold = np.concatenate([np.arange(len(side)) % 3 for side in sides])
    areas = []
    for i in range(3):
        train, test = fold != i, fold == i
        areas.append(roc_auc_score(y[test], LogisticDetection._fit_predict(x[train], y[train], x[test])))
    return {"areas": areas, "score": 1 - np.mean([max(0.5, area) * 2 - 1 for area in areas])}


def encoded(train: np.ndarray, test: np.ndarray, target: int, columns: list) -> list[np.ndarray]:
    """Standardised entries of the rows of both sides."""
    sides: list[list[np.ndarray]] = [[], []]
    for i, column in enumerate(columns):
        for side, table in zip(sides, [train, test], strict=True):
            if i == target:
                continue
            cells = table[:, i]
            if "names" in column:
                one_hot = [cells == code for code in range(len(column["names"]))]
                side += [entry.astype(float) for entry in [*one_hot, np.isnan(cells)]]
            else:
                side.append(np.where(np.isnan(cells), np.nanmean(train[:, i]), cells))
    scaler = StandardScaler().fit(np.stack(sides[0], 1))
    return [scaler.transform(np.stack(side, 1)) for side in sides]


def efficacy(train: np.ndarray, test: np.ndarray, target: int, columns: list) -> float:
    """Score on `test` of a model of the column `target` that is trained on `train`."""
    train, test = (table[~np.isnan(table[:, target])] for table in (train, test))
    x, unseen = encoded(train, test, target, columns)
    if "names" in columns[target]:
        model = LogisticRegression(tol=1e-10, max_iter=10000).fit(x, train[:, target].astype(int))
        return f1_score(test[:, target].astype(int), model.predict(unseen), average="macro")
    return r2_score(test[:, target], Ridge(alpha=1.0).fit(x, train[:, target]).predict(unseen))


def listed(table: np.ndarray) -> list:
    """Rows with null for missing cells."""
    return [[None if np.isnan(v) else float(v) for v in row] for row in table]


def golden() -> dict[str, common.Json]:
    """The content of the golden file."""
    warnings.simplefilter("ignore")
    cases = []
    for name, n, m, shift, gaps in [("close", 60, 45, 0.0, 0.1), ("off", 45, 60, 1.5, 0.3)]:
        real, made, train = rows(n, 0.0, 0.1), rows(m, shift, gaps), rows(n, 0.0, 0.1)
        sides = [frame(real, COLUMNS), frame(made, COLUMNS)]
        expected = similarity(*sides, COLUMNS)
        expected["detection"] = detection(*sides)
        expected["efficacy"] = [
            {
                "generated": efficacy(made, real, target, COLUMNS),
                "real": efficacy(train, real, target, COLUMNS),
            }
            for target in range(len(COLUMNS))
        ]
        cases.append(
            {
                "name": name,
                "columns": COLUMNS,
                "real": listed(real),
                "generated": listed(made),
                "train": listed(train),
                "expected": expected,
            }
        )
    real, made = edges()
    expected = similarity(frame(real, EDGES), frame(made, EDGES), EDGES)
    case = {"name": "edges", "columns": EDGES, "real": listed(real), "generated": listed(made)}
    cases.append({**case, "train": [], "expected": {**expected, "detection": None, "efficacy": None}})
    return common.plain({"cases": cases})


if __name__ == "__main__":
    common.write(golden())
