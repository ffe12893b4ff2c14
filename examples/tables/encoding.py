"""Rows of a table as arrays for scikit-learn, and its models by the kind of the target."""

import numpy as np
import pandas as pd


def is_number(column):
    return pd.api.types.is_numeric_dtype(column)


def texts(column):
    """Cells of a category, without blanks at their ends, None for a gap."""
    return [None if pd.isna(cell) else str(cell).strip() for cell in column]


class Encoding:
    """Columns of a table, with the mean and deviation of numbers and the names of categories in real
    rows. A category that they do not have counts as a gap."""

    def __init__(self, real, without=None):
        self.columns = [name for name in real if name != without]
        self.scales, self.names, self.gaps = {}, {}, {}
        for name in self.columns:
            self.gaps[name] = real[name].isna().any()
            if is_number(real[name]):
                self.scales[name] = (real[name].mean(), real[name].std(ddof=0) or 1.0)
            else:
                self.names[name] = sorted(set(texts(real[name])) - {None})

    def codes(self, rows):
        """Numbers in their own units and codes of categories, NaN for gaps: [rows, columns]."""
        columns = []
        for name in self.columns:
            if name in self.scales:
                columns.append(pd.to_numeric(rows[name], errors="coerce").to_numpy(float, na_value=np.nan))
            else:
                code = {text: float(i) for i, text in enumerate(self.names[name])}
                columns.append(np.array([code.get(cell, np.nan) for cell in texts(rows[name])]))
        return np.column_stack(columns)

    def is_category(self):
        """By column of `codes`."""
        return [name in self.names for name in self.columns]

    def entries(self, rows):
        """Standardised numbers, 0 for a gap, and one-hot categories: [rows, entries]. A column with
        gaps has an entry that says where they are."""
        blocks = []
        for name, column in zip(self.columns, self.codes(rows).T):
            gap = np.isnan(column)
            if name in self.scales:
                mean, deviation = self.scales[name]
                blocks.append(np.where(gap, 0.0, (column - mean) / deviation)[:, None])
            else:
                blocks.append(column[:, None] == np.arange(len(self.names[name])))
            if self.gaps[name]:
                blocks.append(gap[:, None])
        return np.concatenate(blocks, axis=1, dtype=float)


def linear(task, seed):
    """Logistic or ridge regression on `entries`."""
    from sklearn.linear_model import LogisticRegression, RidgeCV

    if task == "classification":
        return LogisticRegression(max_iter=2000)
    return RidgeCV(np.logspace(-2, 4, 13))


def boosting(task, seed, encoding, **settings):
    """Gradient boosting on `codes`, with the defaults of scikit-learn."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if task == "classification" else HistGradientBoostingRegressor
    return kind(categorical_features=encoding.is_category(), random_state=seed, **settings)
