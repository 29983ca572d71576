import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet as pq

from sklearn_fedphe.engines.nvflare.site_rows import RowsError, columns_of, read_rows

FEATURES = ("age", "dose")
SECRET = 417.25
TABLE = {"outcome": [1.5, 2.5], "dose": [0.1, SECRET], "age": [30, 40]}


def write(path, table):
    frame = pd.DataFrame(table)
    frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path)
    return path


def read(path, features=FEATURES):
    return read_rows("north", path, features, "outcome")


def test_columns_are_in_the_rosters_order(tmp_path):
    for name in ("rows.csv", "rows.parquet"):
        X, y = read(write(tmp_path / name, TABLE))
        np.testing.assert_array_equal(X, [[30, 0.1], [40, SECRET]])
        np.testing.assert_array_equal(y, [1.5, 2.5])
        assert X.dtype == y.dtype == np.float64
        assert X.flags.c_contiguous


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_reading_does_not_load_pandas(tmp_path, name):
    """It would take nearly as long as NVIDIA FLARE."""
    path = write(tmp_path / name, TABLE)
    code = (
        "import sys; from pathlib import Path;"
        "from sklearn_fedphe.engines.nvflare.site_rows import read_rows;"
        f"X, _ = read_rows('north', Path({str(path)!r}), {FEATURES}, 'outcome');"
        "print(X.shape, 'pandas' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603

    assert finished.stdout.strip() == "(2, 2) False"


def test_the_files_ending_may_be_in_capitals(tmp_path):
    (tmp_path / "rows.CSV").write_text("age,dose,outcome\n1,2,3\n")
    X, y = read(tmp_path / "rows.CSV")
    assert X.tolist() == [[1, 2]]
    assert y.tolist() == [3]


def test_decimals_are_read_to_the_last_bit(tmp_path):
    values = np.random.default_rng(0).lognormal(sigma=40, size=3000).reshape(1000, 3)
    lines = [",".join(map(repr, row)) for row in values.tolist()]
    (tmp_path / "rows.csv").write_text("age,dose,outcome\n" + "\n".join(lines))
    X, y = read(tmp_path / "rows.csv")
    np.testing.assert_array_equal(np.column_stack([X, y]), values)


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dose": None}, r"its file has no columns \['dose'\]; run doctor there"),
        ({"outcome": None}, r"its file has no columns \['the target'\]"),
        ({"age": None, "dose": None}, r"its file has no columns \['age', 'dose'\]"),
        ({"surname": ["A", "B"]}, "its file has 1 columns more than features and target"),
        ({"dose": ["0.5", "high"]}, "column 'dose' has values that are no numbers"),
        ({"outcome": ["low", "high"]}, "the target has values that are no numbers"),
        ({"age": [True, False]}, "column 'age' has values that are no numbers"),
        ({"dose": [SECRET, np.nan]}, "column 'dose' has values that are missing or infinite"),
        ({"dose": [np.nan, np.nan]}, "column 'dose' has values that are missing or infinite"),
        ({"dose": [SECRET, np.inf]}, "column 'dose' has values that are missing or infinite"),
        ({"outcome": [np.nan, 1.0]}, "the target has values that are missing or infinite"),
    ],
)
def test_rows_that_do_not_fit_are_refused_without_a_value(tmp_path, name, change, message):
    table = {key: value for key, value in (TABLE | change).items() if value is not None}
    with pytest.raises(RowsError, match=f"^client 'north': {message}") as caught:
        read(write(tmp_path / name, table))
    assert "417" not in str(caught.value)
    assert "high" not in str(caught.value)


def test_names_that_only_the_hospital_knows_are_not_told(tmp_path):
    path = write(tmp_path / "rows.csv", TABLE | {"surname": ["A", "B"]})
    with pytest.raises(RowsError) as caught:
        read(path)
    assert "surname" not in str(caught.value)
    assert "outcome" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_target_that_is_a_feature_is_refused(tmp_path):
    path = write(tmp_path / "rows.csv", TABLE)
    with pytest.raises(RowsError, match="its target is a feature"):
        read(path, ("age", "dose", "outcome"))


def test_a_file_without_rows_is_refused(tmp_path):
    empty = pd.DataFrame(TABLE).iloc[:0]
    empty.to_parquet(tmp_path / "rows.parquet")
    empty.to_csv(tmp_path / "rows.csv", index=False)
    for name in ("rows.parquet", "rows.csv"):
        with pytest.raises(RowsError, match="its file has no rows"):
            read(tmp_path / name)


def test_missing_values_of_nullable_columns_are_found(tmp_path):
    frame = pd.DataFrame(TABLE).astype({"age": "Int64"})
    frame.loc[0, "age"] = pd.NA
    frame.to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(RowsError, match="column 'age' has values that are missing"):
        read(tmp_path / "rows.parquet")


@pytest.mark.parametrize("name", [None, "patient"])
def test_the_index_of_a_data_frame_is_no_column(tmp_path, name):
    frame = pd.DataFrame(TABLE).set_index(pd.Index(["A", "B"], name=name))
    frame.to_parquet(tmp_path / "rows.parquet")
    assert columns_of(tmp_path / "rows.parquet") == list(TABLE)
    X, _ = read(tmp_path / "rows.parquet")
    assert X.tolist() == [[30, 0.1], [40, SECRET]]


def test_what_cannot_be_read_is_not_quoted(tmp_path):
    (tmp_path / "rows.csv").write_text(f"age,dose,outcome\n1,2,3,{SECRET}\n1,2\n")
    (tmp_path / "rows.parquet").write_text(f"{SECRET}")
    for name in ("rows.csv", "rows.parquet"):
        with pytest.raises(RowsError, match=r"its file cannot be read \(\w+\)") as caught:
            read(tmp_path / name)
        assert "417" not in str(caught.value)
        assert caught.value.__suppress_context__


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_a_missing_file_says_so(tmp_path, name):
    with pytest.raises(RowsError, match=r"client 'north': its file cannot be read \(FileNotFound"):
        read(tmp_path / name)


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(RowsError, match=r"its file ends in '\.xlsx'; use \.csv or \.parquet"):
        read(tmp_path / "rows.xlsx")


def test_columns_are_named_for_their_owner(tmp_path):
    path = write(tmp_path / "rows.parquet", TABLE | {"surname": ["A", "B"]})
    assert columns_of(path) == ["outcome", "dose", "age", "surname"]


@given(st.lists(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 3), min_size=1))
def test_whatever_number_is_written_it_is_read_to_the_last_bit(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    lines = ["age,dose,outcome", *(",".join(map(repr, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    X, y = read(path)
    assert np.column_stack([X, y]).tobytes() == np.array(rows).tobytes()


@pytest.mark.parametrize(
    "text",
    [
        "0.1",
        "5e-324",
        "2.2250738585072011e-308",
        "9007199254740993.0",
        "0.1000000000000000055511151231257827021181583404541015625",
        "1.7976931348623157e308",
        "123456789012345678",
        "-3",
        "007",
        "1E5",
    ],
)
def test_a_decimal_is_the_float_of_its_text(tmp_path, text):
    (tmp_path / "rows.csv").write_text(f"age,dose,outcome\n1,{text},3\n")
    X, _ = read(tmp_path / "rows.csv")
    assert X[0, 1] == float(text)


def test_columns_of_other_kinds_of_number_are_read(tmp_path):
    arrays = [
        pa.array([1, 250], pa.uint8()),
        pa.array([0.1, 0.2], pa.float32()),
        pa.array([-(2**53), 2**53], pa.int64()),
    ]
    pq.write_table(pa.table(arrays, ["age", "dose", "outcome"]), tmp_path / "rows.parquet")
    X, y = read(tmp_path / "rows.parquet")
    assert X.tolist() == [[1, float(np.float32(0.1))], [250, float(np.float32(0.2))]]
    assert y.tolist() == [-(2**53), 2**53]


def test_a_file_of_several_blocks_is_read_whole(tmp_path):
    """A block is a megabyte of CSV; the first decimal is in the last."""
    (tmp_path / "rows.csv").write_text("age,dose,outcome\n" + "30,1,2\n" * 200_000 + "40,0.5,3\n")
    table = pa.table({"age": [30, 40], "dose": [1, 0.5], "outcome": [2, 3]})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=1)
    for name, rows in (("rows.csv", 200_001), ("rows.parquet", 2)):
        X, y = read(tmp_path / name)
        assert X.shape == (rows, 2)
        assert X[[0, -1]].tolist() == [[30, 1], [40, 0.5]]
        assert y[[0, -1]].tolist() == [2, 3]


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    arrays = [pa.array([1.0])] * 4
    names = ["age", "dose", "outcome", "age"]
    pq.write_table(pa.table(arrays, names), tmp_path / "rows.parquet")
    (tmp_path / "rows.csv").write_text(",".join(names) + "\n1,2,3,4\n")
    for name in ("rows.parquet", "rows.csv"):
        with pytest.raises(RowsError, match=r"its file (has 1 columns more|cannot be read)"):
            read(tmp_path / name)


@pytest.mark.parametrize(
    "text", ["417.25 mg", "417;25", "4_17", "417.25.1", "417-25-01", "'417", "417,25"]
)
def test_no_text_tells_a_value(tmp_path, text):
    """Neither the error's own nor those of what it came from."""
    path = tmp_path / "rows.csv"
    path.write_text(f"age,dose,outcome\n1,{text},3\n1,2,3\n")
    with pytest.raises(RowsError) as caught:
        read(path)
    error = caught.value
    while error is not None:
        assert "417" not in str(error)
        assert str(tmp_path) not in str(error)
        error = error.__cause__ or error.__context__
