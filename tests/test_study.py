import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from sklearn_fedphe import __main__ as command
from sklearn_fedphe.study import run_study, split_diabetes


@pytest.fixture(scope="module")
def study():
    return run_study(max_iter=50, key_length=3072)


def test_study_gives_the_reference_figures(study):
    np.testing.assert_allclose(study.error_by_round[0], [3933.78, 4176.48, 3795.95], atol=0.02)
    np.testing.assert_allclose(study.error_by_round[-1], [3695.77, 3855.14, 3598.63], atol=0.02)


def test_study_is_that_of_plain_numpy(study):
    shards, X_test, y_test = split_diabetes()
    columns = [np.c_[X, np.ones(len(y))] for X, y in shards.values()]
    targets = [y for _, y in shards.values()]
    models = [np.zeros(11) for _ in range(3)]

    def errors():
        return [np.mean((np.c_[X_test, np.ones(50)] @ w - y_test) ** 2) for w in models]

    for _ in range(50):
        models = [
            w - 0.01 * A.T @ (A @ w - b) for w, A, b in zip(models, columns, targets, strict=True)
        ]
    by_round = [errors()]
    for _ in range(50):
        total = sum(A.T @ (A @ w - b) for w, A, b in zip(models, columns, targets, strict=True))
        models = [w - 0.01 * total / 3 for w in models]
        by_round.append(errors())

    np.testing.assert_allclose(study.error_by_round, by_round, rtol=1e-9)


def test_study_compares_with_the_pooled_fit(study):
    assert study.error_default == pytest.approx(study.error_pooled, rel=1e-6)


def test_study_counts_what_travelled(study):
    # 50 gradients of 11 numbers; 12 squares before and 11 of the mean start, in wide slots.
    assert study.traffic.rounds == 52
    assert study.traffic.ciphertexts == 3 * (3 + 50 + 3)
    assert study.traffic.encrypted_bytes == 3 * 52 * 46 + study.traffic.ciphertexts * 768
    assert study.traffic.public_bytes > 0


def test_command_prints_the_table_and_draws_the_picture(tmp_path, capsys):
    picture = tmp_path / "study.png"

    command.main(["--key-length", "2048", "--max-iter", "3", "--plot", str(picture)])

    printed = capsys.readouterr().out
    assert "Paillier keys of 2048 bits" in printed
    for line in (
        "alone, 3 steps",
        "federated, 3 rounds",
        "FederatedLinearRegression()",
        "LinearRegression(), pooled",
        "secure sums ciphertexts       bytes        time",
        f"Drawn in {picture}",
    ):
        assert line in printed
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_picture_has_a_line_and_a_dashed_line_for_each_hospital(study):
    axes = Figure().subplots()

    command.draw(study, axes)

    lines = {line.get_label(): line for line in axes.get_lines()}
    assert len(lines) == 6
    for i in range(3):
        together = lines[f"Hospital {i + 1}, federated"]
        alone = lines[f"Hospital {i + 1}, alone"]
        np.testing.assert_array_equal(together.get_ydata(), study.error_by_round[:, i])
        assert set(alone.get_ydata()) == {study.error_by_round[0, i]}
        assert alone.get_linestyle() == "--"
        assert together.get_color() == alone.get_color()


def test_picture_without_matplotlib_names_the_extra(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)

    with pytest.raises(SystemExit):
        command.main(["--plot", "study.png"])

    assert "pip install 'sklearn_fedphe[plot]'" in capsys.readouterr().err


def test_command_draws_nothing_unasked(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    command.main(["--key-length", "2048", "--max-iter", "1"])

    assert "Drawn" not in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["nowhere/study.png", "study.foo"])
def test_picture_that_cannot_be_written_is_said_before_the_study(
    tmp_path, monkeypatch, capsys, name
):
    monkeypatch.setattr(command, "run_study", None)

    with pytest.raises(SystemExit):
        command.main(["--plot", str(tmp_path / name)])

    assert f"error: --plot {tmp_path / name}: " in capsys.readouterr().err


def test_bad_options_are_errors_of_the_command(capsys):
    with pytest.raises(SystemExit):
        command.main(["--key-length", "1024"])

    assert "error: key_length=1024" in capsys.readouterr().err
