"""Solvers over an `Objective`, one a file; they know neither clients nor encryption."""

from .base import Objective, Solution
from .gradient_descent import GradientDescent

SOLVERS = {"gradient_descent": GradientDescent}

__all__ = ["SOLVERS", "GradientDescent", "Objective", "Solution"]
