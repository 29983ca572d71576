"""A hospital's rows from its own file: checked, and no value of them in an error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...typing import FloatArray


class RowsError(ValueError):
    """A hospital's file is not what a fit needs."""


def columns_of(path: Path) -> list[str]:
    """Return the names of a file's columns. Run by the hospital.

    Raises
    ------
    RowsError
        If it is no CSV or Parquet file that can be read.
    """
    names: list[str] = _table(path).column_names
    return names


def read_rows(
    label: str, path: Path, features: Sequence[str], target: str
) -> tuple[FloatArray, FloatArray]:
    """Read features and target. Run by the hospital.

    Parameters
    ----------
    label : str
        The hospital's, for errors, which others hear too.
    path : Path
        A CSV file with a header, or a Parquet file, by its ending.
    features : sequence of str
        The roster's.
    target : str
        The hospital's own name for it.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)

    Raises
    ------
    RowsError
        With columns that are missing, or whose values are missing or no finite numbers. Columns
        that nobody asked for are the hospital's own affair, and only counted.
    """
    try:
        table = _table(path)
    except RowsError as error:
        raise RowsError(f"client {label!r}: {error}") from None
    columns = table.column_names
    missing = [name for name in features if name not in columns]
    if target not in columns:
        missing.append("the target")
    if missing:
        raise RowsError(f"client {label!r}: its file has no columns {missing}; run doctor there.")
    extra = len(columns) - len(set(features) | {target})
    if extra or target in features:
        raise RowsError(
            f"client {label!r}: its file has {extra} columns more than features and target, or "
            "its target is a feature; leave out what is not of the study. Its doctor names them."
        )
    if not table.num_rows:
        raise RowsError(f"client {label!r}: its file has no rows; run doctor there.")
    return (
        np.column_stack([_numbers(label, name, table[name]) for name in features]),
        _numbers(label, "the target", table[target]),
    )


def _table(path: Path) -> Any:
    readers = {".csv": _read_csv, ".parquet": _read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise RowsError(f"its file ends in {path.suffix!r}; use .csv or .parquet.")
    try:
        return reader(path)
    except Exception as error:  # noqa: BLE001 - readers raise many, with values in their texts
        kind = type(error).__name__
    raise RowsError(f"its file cannot be read ({kind}); run doctor there.")


def _read_csv(path: Path) -> Any:
    from pyarrow import csv

    return csv.read_csv(path)


def _read_parquet(path: Path) -> Any:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        table = file.read()
    # The index of a data frame that was written is no column of it.
    index = (table.schema.pandas_metadata or {}).get("index_columns", [])
    return table.drop_columns([name for name in index if isinstance(name, str)])


def _numbers(label: str, name: str, column: Any) -> FloatArray:
    from pyarrow import types

    shown = name if name == "the target" else f"column {name!r}"
    kinds = types.is_integer, types.is_floating, types.is_null  # null: no value is there
    if not any(is_kind(column.type) for is_kind in kinds):
        raise RowsError(f"client {label!r}: {shown} has values that are no numbers.")
    if not column.null_count:
        # Arrow's own way to an array loads pandas, if it is there.
        values: FloatArray = np.from_dlpack(column.combine_chunks()).astype(np.float64)
        if np.isfinite(values).all():
            return values
    raise RowsError(
        f"client {label!r}: {shown} has values that are missing or infinite; fill them in or "
        "leave such rows out."
    )
