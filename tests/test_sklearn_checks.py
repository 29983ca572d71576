import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_fedphe import FederatedLinearRegression

pytestmark = pytest.mark.usefixtures("known_key")


@parametrize_with_checks(
    [
        FederatedLinearRegression(key_length=2048),
        FederatedLinearRegression(key_length=2048, precondition=False),
        FederatedLinearRegression(key_length=2048, alpha=0.5, n_clients=5, fit_intercept=False),
        FederatedLinearRegression(key_length=2048, solver="conjugate_gradient"),
        FederatedLinearRegression(key_length=2048, solver="normal_equations"),
    ]
)
# Some checks fit columns that depend on each other, and the exact solver says so.
@pytest.mark.filterwarnings("ignore:The columns .* depend:scipy.linalg.LinAlgWarning")
def test_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)
