"""What a statistician reads off a least squares fit: errors, tests and intervals.

Classical inference: independent errors of one variance, normal where n is small. Nothing
here sees a row; the numbers it starts from were computed elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import fdtrc, stdtr, stdtrit

from .typing import FloatArray

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False, eq=False)
class RegressionSummary:
    """Estimates of a least squares fit, with what they say of the population.

    Parameters
    ----------
    names : tuple of str
        Of the parameters; where an intercept is fitted, it is last and called "intercept".
    estimate : ndarray of shape (n_parameters,)
    covariance : ndarray of shape (n_parameters, n_parameters)
        Of the estimates. Both arrays are copied and read-only.
    residual_ss : float
        Sum of the squared residuals.
    total_ss : float
        Sum of the squares of the target, about its mean where an intercept is fitted.
    dof : int
        Degrees of freedom of the residuals: rows less the rank of X.
    n_rows, n_clients : int
    fit_intercept : bool
    """

    names: tuple[str, ...]
    estimate: FloatArray
    covariance: FloatArray
    residual_ss: float
    total_ss: float
    dof: int
    n_rows: int
    n_clients: int
    fit_intercept: bool

    def __post_init__(self) -> None:
        for name in ("estimate", "covariance"):
            values = np.array(getattr(self, name), dtype=np.float64)
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    @property
    def residual_variance(self) -> float:
        """Unbiased estimate of the variance of the errors."""
        return self.residual_ss / self.dof

    @property
    def standard_error(self) -> FloatArray:
        """Of each estimate; shape (n_parameters,)."""
        return np.sqrt(self.covariance.diagonal())

    @property
    def t(self) -> FloatArray:
        """Each estimate over its error, infinite or NaN where that is 0; (n_parameters,)."""
        with np.errstate(divide="ignore", invalid="ignore"):  # a perfect fit has no errors
            return self.estimate / self.standard_error

    @property
    def p_value(self) -> FloatArray:
        """Two-sided, by Student's t, that each parameter is 0; shape (n_parameters,)."""
        # Twice the lower tail: 1 less the upper would have no digits where it matters.
        return np.asarray(2.0 * stdtr(self.dof, -np.abs(self.t)))

    @property
    def r2(self) -> float:
        """Share of the target's sum of squares that is explained; NaN where that sum is 0.

        Without an intercept the sum is not about the mean, and neither is this R^2: it does
        not compare with that of a fit with one.
        """
        return 1.0 - _ratio(self.residual_ss, self.total_ss)

    @property
    def r2_adjusted(self) -> float:
        """`r2` with both sums of squares over their degrees of freedom."""
        dof = self.n_rows - self.fit_intercept
        return 1.0 - _ratio(self.residual_ss / self.dof, self.total_ss / dof)

    @property
    def f(self) -> float:
        """F statistic of all slopes together; NaN where there is none."""
        # Of the sums of squares. By way of R^2, the residuals of a close fit would be lost in
        # 1 - R^2; the Wald form would solve with a covariance as ill conditioned as X'X.
        # Sums that are equal up to rounding must not make an F below 0.
        if not self._n_slopes:
            return float("nan")
        explained = max(self.total_ss - self.residual_ss, 0.0)
        return _ratio(explained / self._n_slopes, self.residual_variance)

    @property
    def f_p_value(self) -> float:
        """Chance of so large an `f` where every slope is 0; NaN where there is none."""
        return float(fdtrc(self._n_slopes, self.dof, self.f))

    def confidence_interval(self, level: float = 0.95) -> FloatArray:
        """Return the bounds that cover each parameter with the given probability.

        Parameters
        ----------
        level : float, default=0.95
            Between 0 and 1, both excluded.

        Returns
        -------
        ndarray of shape (n_parameters, 2)
            Lower bounds, then upper ones.
        """
        if not 0 < level < 1:
            raise ValueError(
                f"level={level!r} is not between 0 and 1, both excluded; pass 0.95 for 95%."
            )
        reach = -stdtrit(self.dof, (1 - level) / 2) * self.standard_error
        return np.column_stack([self.estimate - reach, self.estimate + reach])

    def to_frame(self) -> pd.DataFrame:
        """Return a row a parameter, indexed by name; needs pandas.

        Returns
        -------
        DataFrame
            Columns "coef", "std err", "t", "P>|t|", "2.5 %" and "97.5 %".
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("to_frame needs pandas: pip install pandas") from error
        low, high = self.confidence_interval().T
        columns = [self.estimate, self.standard_error, self.t, self.p_value, low, high]
        names = ["coef", "std err", "t", "P>|t|", "2.5 %", "97.5 %"]
        return pd.DataFrame(dict(zip(names, columns, strict=True)), index=list(self.names))

    @property
    def _n_slopes(self) -> int:
        return len(self.estimate) - self.fit_intercept

    def __repr__(self) -> str:
        return "\n\n".join(_text(table) for table in self._tables())

    def _repr_html_(self) -> str:
        return "\n".join(_html(table) for table in self._tables())

    def _tables(self) -> tuple[list[list[str]], list[list[str]]]:
        """Cells of the header and of the parameters; the first of each row is its name."""
        about = "" if self.fit_intercept else " (not about the mean)"
        header = [
            ["Rows", f"{self.n_rows}"],
            ["Clients", f"{self.n_clients}"],
            ["Residual degrees of freedom", f"{self.dof}"],
            ["Residual standard error", f"{self.residual_variance**0.5:.4g}"],
            [f"R^2{about}", f"{self.r2:.4f}"],
            [f"Adjusted R^2{about}", f"{self.r2_adjusted:.4f}"],
            [f"F({self._n_slopes}, {self.dof})", f"{self.f:.4g}"],
            ["P>F", f"{self.f_p_value:.3g}"],
        ]
        body = [["", "coef", "std err", "t", "P>|t|", "95% interval"]]
        columns = self.estimate, self.standard_error, self.t, self.p_value
        rows = np.column_stack([*columns, self.confidence_interval()])
        for name, (coef, error, t, p, low, high) in zip(self.names, rows, strict=True):
            numbers = [f"{coef:.5g}", f"{error:.4g}", f"{t:.4g}", f"{p:.3g}"]
            body.append([name, *numbers, f"[{low:.4g}, {high:.4g}]"])
        return header, body


def _ratio(numerator: float, denominator: float) -> float:
    """Of floats as IEEE has it: inf or NaN, in silence, where the denominator is (nearly) 0."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        return float(np.float64(numerator) / denominator)


def _text(table: list[list[str]]) -> str:
    first, *others = (max(map(len, column)) for column in zip(*table, strict=True))
    return "\n".join(
        "  ".join([name.ljust(first), *map(str.rjust, cells, others)]) for name, *cells in table
    )


def _html(table: list[list[str]]) -> str:
    rows = (
        f"<tr><th>{escape(name)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for name, *cells in table
    )
    return "<table>\n" + "\n".join(rows) + "\n</table>"
