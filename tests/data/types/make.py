"""Writes the files beside it: one table of all types, as CSV, Parquet and Arrow IPC write it.

    python3 -m venv /tmp/types && /tmp/types/bin/pip install pyarrow
    /tmp/types/bin/python tests/data/types/make.py
"""

import datetime
import decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq

HERE = Path(__file__).parent
ROWS = 12

number = [None if i == 3 else i - 2 for i in range(ROWS)]
mass = [None if i == 5 else round(1.25 * i - 3, 2) for i in range(ROWS)]
short = [round(0.1 * i, 1) for i in range(ROWS)]
kind = [None if i == 1 else ["red", "blue", "größe"][i % 3] for i in range(ROWS)]
note = [None if i == 2 else "ab"[i % 2] for i in range(ROWS)]
flag = [None if i == 7 else i % 2 == 0 for i in range(ROWS)]
day = [None if i == 4 else datetime.date(1969, 12, 30) + datetime.timedelta(31 * i) for i in range(ROWS)]
stamp = [datetime.datetime(2020, 2, 28, 23, 59, 58) + datetime.timedelta(0, 3 * i) for i in range(ROWS)]
price = [decimal.Decimal(-150 + 75 * i) / 100 for i in range(ROWS)]
wide = [2**40 + i for i in range(ROWS)]

types = {
    "number": pa.array(number, pa.int32()),
    "mass": pa.array(mass, pa.float64()),
    "short": pa.array(short, pa.float32()),
    "kind": pa.array(kind, pa.string()).dictionary_encode(),
    "note": pa.array(note, pa.large_string()),
    "flag": pa.array(flag, pa.bool_()),
    "day": pa.array(day, pa.date32()),
    "stamp": pa.array(stamp, pa.timestamp("us")),
    "price": pa.array(price, pa.decimal128(9, 2)),
    "wide": pa.array(wide, pa.uint64()),
    "tags": pa.array([[i, i + 1] for i in range(ROWS)], pa.list_(pa.int64())),
}
table = pa.table(types)
for codec in ["none", "snappy", "gzip", "zstd", "lz4"]:
    pages = {"row_group_size": 5, "version": "2.4" if codec != "gzip" else "1.0"}
    pq.write_table(table, HERE / f"{codec}.parquet", compression=codec, **pages)
for codec in ["uncompressed", "lz4", "zstd"]:
    feather.write_feather(table, HERE / f"{codec}.feather", compression=codec, chunksize=5)
with pa.ipc.new_stream(HERE / "stream.arrow", table.schema) as stream:
    stream.write_table(table, max_chunksize=5)


def text(value: object) -> str:
    """A value as the CSV has it."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime.datetime():
            return value.isoformat()
    return str(value)


columns = [number, mass, short, kind, note, flag, day, stamp, [f"{p:.2f}" for p in price], wide]
names = [name for name in types if name != "tags"]
lines = [",".join(names)] + [",".join(map(text, row)) for row in zip(*columns)]
(HERE / "types.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
