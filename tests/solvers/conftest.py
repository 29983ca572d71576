import numpy as np
import pytest


class Quadratic:
    """A convex quadratic with a known minimum, which counts what it is asked."""

    resolution = 0.0

    def __init__(self, eigenvalues, seed=0):
        generator = np.random.default_rng(seed)
        self.n_unknowns = len(eigenvalues)
        basis = np.linalg.qr(generator.normal(size=(self.n_unknowns, self.n_unknowns)))[0]
        self.hessian = basis * np.asarray(eigenvalues, float) @ basis.T
        self.minimum = basis @ (np.sign(eigenvalues) * generator.normal(size=self.n_unknowns))
        self.asked, self.points = [], []

    def gradient(self, point):
        self.asked.append("gradient")
        self.points.append(point)
        return self.hessian @ (point - self.minimum)

    def hessian_product(self, direction):
        self.asked.append("product")
        return self.hessian @ direction

    def curvature_bound(self):
        return float(np.trace(self.hessian))


@pytest.fixture
def quadratic():
    """Makes a problem of the given eigenvalues."""
    return Quadratic
