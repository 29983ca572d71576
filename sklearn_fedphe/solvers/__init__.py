"""Solvers over an `Objective`, one a file; they know neither clients nor encryption."""

from .base import NormalEquations, Objective, Solution
from .conjugate_gradient import ConjugateGradient
from .gradient_descent import GradientDescent
from .noisy_normal_equations import NoisyNormalEquationsSolver
from .normal_equations import ExactSolution, NormalEquationsSolver
from .watch import NOBODY, Watch

SOLVERS = ("gradient_descent", "conjugate_gradient", "normal_equations")

__all__ = [
    "NOBODY",
    "SOLVERS",
    "ConjugateGradient",
    "ExactSolution",
    "GradientDescent",
    "NoisyNormalEquationsSolver",
    "NormalEquations",
    "NormalEquationsSolver",
    "Objective",
    "Solution",
    "Watch",
]
