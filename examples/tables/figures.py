"""Figures of several seeds, `{data set: {model: {seed: {metric: value}}}}`, as files and tables."""

import json
import math
import statistics

import numpy as np
import tables
from scipy import stats


def write(file, scores):
    """Writes figures as JSON, a line for each seed."""

    def block(depth, members):
        pad = " " * depth
        lines = ",\n".join(f"{pad} {json.dumps(key)}: {text}" for key, text in members.items())
        return f"{{\n{lines}\n{pad}}}"

    blocks = {
        table: block(
            1,
            {
                model: block(2, {seed: json.dumps(seeds[seed]) for seed in sorted(seeds, key=int)})
                for model, seeds in found.items()
            },
        )
        for table, found in scores.items()
    }
    file.write_text(block(0, blocks) + "\n")


def mean(values):
    return statistics.mean(values.values())


def spread(values, places):
    """Text mean ± standard deviation of values by seed, and their number if seeds are missing. Places
    of None are four significant digits of the mean."""
    if places is None:
        places = max(0, 3 - math.floor(math.log10(abs(mean(values)))))
    text = f"{mean(values):.{places}f}"
    if len(values) > 1:
        text += f" ± {statistics.stdev(values.values()):.{places}f}"
    return text + (f" ({len(values)})" if 1 < len(values) < len(tables.SEEDS) else "")


def by_seed(found, metric):
    return {int(seed): one[metric] for seed, one in found.items() if metric in one}


def p_value(one, other):
    """Two-sided p of a t test of the differences, paired by seed; None with fewer than two seeds."""
    seeds = sorted(set(one) & set(other))
    differences = np.array([one[seed] - other[seed] for seed in seeds])
    if len(seeds) < 2:
        return None
    if np.ptp(differences) == 0:
        return float(differences[0] == 0)
    return float(stats.ttest_1samp(differences, 0).pvalue)


def tied(values, best):
    """Models that a paired t test at 5 %, with Holm's correction, does not tell from the best."""
    tested = sorted(
        (p, model) for model in values if model != best and (p := p_value(values[best], values[model])) is not None
    )
    for i, (p, _) in enumerate(tested):
        if p * (len(tested) - i) > 0.05:
            return {model for _, model in tested[i:]}
    return set()


def best_of(values, direction):
    return max(values, key=lambda model: direction * mean(values[model]), default=None)


def markdown(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def table(scores, metric, places, direction, models, real=None):
    """Table of a metric: a row a model, a column a data set, and a last row of the real rows. The best
    is in bold, what is tied with it has an asterisk; `direction` is 1 if more is better, −1 if less
    is, 0 for a metric that has no best."""
    columns = []
    for found in scores.values():
        values = {model: by_seed(found.get(model, {}), metric) for model in models}
        values = {model: of for model, of in values.items() if of}
        best = best_of(values, direction) if direction else None
        ties = tied(values, best) if best else set()
        texts = {model: spread(of, places) for model, of in values.items()}
        column = [
            f"**{texts[model]}**" if model == best else texts.get(model, "") + "\\*" * (model in ties)
            for model in models
        ]
        floor = by_seed(found.get(real, {}), metric)
        columns.append(column + [spread(floor, places) if floor else ""])
    rows = [
        [name.replace("_", " "), *(column[i] for column in columns)] for i, name in enumerate([*models, real or ""])
    ]
    return markdown(["", *scores], [row for row in rows if any(row[1:])])
