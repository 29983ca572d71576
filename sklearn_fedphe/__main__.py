"""``python -m sklearn_fedphe``: the reference study, encrypted, as a table and a picture."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .study import HOSPITALS, N_PATIENTS, N_TEST, Study, Traffic, run_study

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study and print what it found."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.plot is not None:
        try:
            import matplotlib.pyplot as plt
        except ImportError:
            parser.error("--plot needs matplotlib: pip install 'sklearn_fedphe[plot]'")
        figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
        try:  # before the study: nobody wants to wait for a picture that cannot be written
            figure.savefig(options.plot)
        except (OSError, ValueError) as error:
            parser.error(f"--plot {options.plot}: {error}")
    try:
        study = run_study(options.max_iter, options.key_length)
    except ValueError as error:
        parser.error(str(error))
    print(_table(study, options.key_length))
    if options.plot is not None:
        draw(study, axes)
        figure.savefig(options.plot, dpi=150)
        print(f"\nDrawn in {options.plot}")


def draw(study: Study, axes: Axes) -> None:
    """Draw the test error by round, a line a hospital; dashed, its model trained alone."""
    for name, errors in zip(HOSPITALS, study.error_by_round.T, strict=True):
        (line,) = axes.plot(errors, label=f"{name}, federated")
        axes.axhline(errors[0], color=line.get_color(), linestyle="--", label=f"{name}, alone")
    axes.set(xlabel="Round", ylabel="Mean squared error, test patients")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, frameon=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sklearn_fedphe",
        description="Three hospitals fit one linear regression on the diabetes data: each "
        "alone, then together without showing each other anything but encrypted sums.",
    )
    parser.add_argument(
        "--key-length", type=int, default=3072, help="bits of the Paillier key (default: 3072)"
    )
    parser.add_argument(
        "--max-iter", type=int, default=50, help="steps alone, and together (default: 50)"
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE.png", help="draw the test error by round"
    )
    return parser


def _table(study: Study, key_length: int) -> str:
    def row(name: str, *cells: object) -> str:
        return f"{name:<28}" + "".join(f"{cell:>12}" for cell in cells)

    def errors(index: int) -> list[str]:
        return [f"{error:.2f}" for error in study.error_by_round[index]]

    def traffic(name: str, of: Traffic) -> str:
        size = f"{(of.encrypted_bytes + of.public_bytes) / 1e3:.0f} kB"
        return row(name, of.rounds, of.ciphertexts, size, f"{of.seconds:.1f} s")

    n_rounds = len(study.error_by_round) - 1
    return "\n".join(
        [
            f"{len(HOSPITALS)} hospitals of {N_PATIENTS} patients, {N_TEST} patients to test on; "
            f"Paillier keys of {key_length} bits.",
            "",
            row("Mean squared error", *HOSPITALS),
            row(f"alone, {n_rounds} steps", *errors(0)),
            row(f"federated, {n_rounds} rounds", *errors(-1)),
            "",
            row("FederatedLinearRegression()", f"{study.error_default:.2f}"),
            row("LinearRegression(), pooled", f"{study.error_pooled:.2f}"),
            "",
            row("What travelled", "secure sums", "ciphertexts", "bytes", "time"),
            traffic(f"federated, {n_rounds} rounds", study.traffic),
            traffic("FederatedLinearRegression()", study.traffic_default),
        ]
    )


if __name__ == "__main__":
    main()
