"""Differential privacy: sensitivity by brute force, noise by its distribution, and texts."""

import copy
import math
import pickle
import sys
from dataclasses import replace

import numpy as np
import pytest
from dp_accounting import get_epsilon_gaussian
from dp_accounting.pld import common, privacy_loss_mechanism
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, kstest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, Ridge

from sklearn_fedphe import FederatedLinearRegression, GaussianPrivacy
from sklearn_fedphe.bounded_rows import bounded_gram
from sklearn_fedphe.crypto.discrete_gaussian import MAX_SCALE, discrete_gaussian
from sklearn_fedphe.crypto.masking import PairwiseMasks
from sklearn_fedphe.least_squares import LeastSquares
from sklearn_fedphe.protocol import DisclosureRules, answers, form_ring, observe
from sklearn_fedphe.protocol.queries import GramQuery, PrivateGramQuery, Slots, SumsQuery
from sklearn_fedphe.solvers import NoisyNormalEquationsSolver

pytestmark = pytest.mark.usefixtures("known_key")

BOUNDS = {"bounds_X": (-0.2, 0.2), "bounds_y": (0.0, 400.0)}
FALSE_ALARMS = 1e-6
UNIT = 2.0**40


def privacy(epsilon=1.0, delta=1e-6, **parameters):
    return GaussianPrivacy(epsilon=epsilon, delta=delta, **BOUNDS | parameters)


def estimator(of=None, **parameters):
    return FederatedLinearRegression(
        solver="normal_equations", privacy=of or privacy(), key_length=2048, **parameters
    )


@st.composite
def neighbours(draw):
    """Some rows, one row more, and bounds that need not hold them."""
    n_features = draw(st.integers(1, 4))
    values = st.floats(-1e6, 1e6)
    row = st.lists(values, min_size=n_features + 1, max_size=n_features + 1)
    rows = np.array(draw(st.lists(row, min_size=1, max_size=5)))
    more = np.array(draw(row))
    lower = draw(st.floats(-100, 99))
    upper = draw(st.floats(lower + 0.1, 200))
    own = GaussianPrivacy(
        epsilon=1.0, delta=1e-6, bounds_X=(lower, upper), bounds_y=(lower, upper)
    )
    return rows, more, own


@given(neighbours(), st.booleans())
def test_one_row_changes_the_products_by_no_more_than_the_sensitivity(case, fit_intercept):
    rows, more, own = case
    n_features = rows.shape[1] - 1
    box = own.box(n_features, fit_intercept=fit_intercept)

    without, with_it = (
        bounded_gram(LeastSquares(table[:, :-1], table[:, -1]), box)
        for table in (rows, np.vstack([rows, more]))
    )

    change = with_it - without
    limit = own.noise_scale(n_features) / own.noise_multiplier
    assert max(map(abs, change)) <= 2**40
    assert sum(int(c) ** 2 for c in change) <= (limit * UNIT) ** 2 * (1 + 1e-12)


@pytest.mark.parametrize("n_features", [1, 3, 10])
def test_the_sensitivity_is_reached_in_a_corner_of_the_box(n_features):
    own = privacy(bounds_y=(0.0, 1.0))
    box = own.box(n_features, fit_intercept=True)

    row = LeastSquares(np.full((1, n_features), 9.0), np.array([-9.0]))
    change = bounded_gram(row, box)

    assert math.sqrt(sum(int(c) ** 2 for c in change)) / UNIT == pytest.approx(
        own.noise_scale(n_features) / own.noise_multiplier, rel=1e-12
    )


def test_products_are_those_of_clipped_rows(diabetes):
    X, y = diabetes
    box = privacy(bounds_X=(-0.05, 0.06)).box(10, fit_intercept=True)

    triangle = bounded_gram(LeastSquares(X, y), box)

    inside = (np.clip(X, -0.05, 0.06) - 0.005) / 0.055
    columns = np.column_stack([inside, (y - 200) / 200, np.ones(len(y))])
    expected = (columns.T @ columns)[np.triu_indices(12)]
    np.testing.assert_allclose(triangle.astype(float) / UNIT, expected, atol=442 * 2**-19)


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("delta", [1e-9, 1e-3])
def test_the_noise_is_what_two_other_accountants_ask_for(epsilon, delta):
    """The conversion back, and the privacy loss distribution's own search."""
    multiplier = privacy(epsilon, delta).noise_multiplier

    assert get_epsilon_gaussian(multiplier, delta) == pytest.approx(epsilon, rel=1e-6)
    loss = privacy_loss_mechanism.GaussianPrivacyLoss.from_privacy_guarantee(
        common.DifferentialPrivacyParameters(epsilon, delta)
    )
    assert multiplier == pytest.approx(loss.standard_deviation, rel=1e-3)


@pytest.fixture(scope="module")
def released(known_key):  # noqa: ARG001 (no key is to be made for each ring)
    """The noise of 60 rounds of 78 numbers: what is told, less what would be without noise."""
    own = privacy(honest_clients=2)
    rules = DisclosureRules(privacy=own)
    generator = np.random.default_rng(0)
    rows = {
        label: LeastSquares(generator.normal(size=(9, 10)), generator.normal(size=9))
        for label in "ABC"
    }
    box = own.box(10, fit_intercept=True)
    exact = sum(bounded_gram(of, box) for of in rows.values())
    noise = []
    for _ in range(60):
        total = form_ring(rows, 2048, rules=rules).exact_sum(PrivateGramQuery())
        noise.append((total - exact).astype(float) / UNIT)
    return np.array(noise) / (own.noise_scale(10) * math.sqrt(3 / 2))


def test_what_is_released_has_the_calibrated_noise(released):
    """Kolmogorov-Smirnov for its shape, chi-squared for its variance."""
    assert released.shape == (60, 78)
    assert kstest(released.ravel(), "norm").pvalue > FALSE_ALARMS
    square_sum, n = float((released**2).sum()), released.size
    assert FALSE_ALARMS / 2 < chi2.cdf(square_sum, n) < 1 - FALSE_ALARMS / 2


def test_noise_is_independent_from_number_to_number_and_round_to_round(released):
    """Fisher's z of neighbours, in both directions."""
    for left, right in ((released[:, 1:], released[:, :-1]), (released[1:], released[:-1])):
        r = np.corrcoef(left.ravel(), right.ravel())[0, 1]
        assert abs(np.arctanh(r)) * math.sqrt(left.size - 3) < 4.9


@pytest.mark.parametrize("honest", [1, 2, 3])
def test_enough_noise_is_left_when_all_but_the_honest_take_theirs_away(honest, monkeypatch):
    """Of three clients, those who are not relied on add none; the others' is as calibrated."""
    own = privacy(honest_clients=honest)
    rows = {label: LeastSquares(np.zeros((3, 2)), np.full(3, 200.0)) for label in "ABC"}
    scales = []
    monkeypatch.setattr(
        answers,
        "discrete_gaussian",
        lambda scale, size: scales.append(scale) or discrete_gaussian(scale, size),
    )
    form_ring(rows, 2048, rules=DisclosureRules(privacy=own)).exact_sum(PrivateGramQuery())

    assert len(scales) == 3
    variance_of_the_honest = sum(scale**2 for scale in scales[:honest]) / UNIT**2
    assert variance_of_the_honest == pytest.approx(own.noise_scale(2) ** 2, rel=1e-12)
    assert min(scales) > 2**32


def test_samples_are_a_discrete_gaussian():
    """Of a small scale, where rounding would show: chi-squared over the integers."""
    scale, size = 1.5, 20_000
    drawn = discrete_gaussian(scale, size)
    values = np.arange(-6, 7)
    weights = np.exp(-(values**2) / (2 * scale**2))
    expected = size * weights / weights.sum()
    observed = np.array([np.count_nonzero(drawn == value) for value in values])

    statistic = float(((observed - expected) ** 2 / expected).sum())
    assert chi2.sf(statistic, len(values) - 1) > FALSE_ALARMS
    assert {type(number) for number in drawn} == {int}


def test_without_noise_to_speak_of_it_is_the_pooled_fit(diabetes):
    X, y = np.tile(diabetes[0], (2000, 1)), np.tile(diabetes[1], 2000)
    for fit_intercept in (True, False):
        est = estimator(privacy(20, 0.5), fit_intercept=fit_intercept).fit(X, y)

        pooled = LinearRegression(fit_intercept=fit_intercept).fit(X, y)
        np.testing.assert_allclose(est.predict(X), pooled.predict(X), atol=4.0)
        assert est.n_rounds_ == est.n_iter_ == 1


def test_the_users_penalty_is_ridges(diabetes):
    X, y = np.tile(diabetes[0], (2000, 1)), np.tile(diabetes[1], 2000)
    est = estimator(privacy(20, 0.5), alpha=100.0).fit(X, y)

    np.testing.assert_allclose(est.coef_, Ridge(alpha=100.0).fit(X, y).coef_, atol=2.0)


class Noisy:
    """Products of the columns [x, y, 1] as they would come, with a claim about their noise."""

    def __init__(self, products, noise_scale):
        self.products, self.noise_scale = np.array(products), noise_scale
        self.center, self.half_width = np.array([1.0, 10.0]), np.array([2.0, 5.0])
        self.alpha, self.fit_intercept = 0.0, True

    def noisy_normal_equations(self):
        return self


def test_the_penalty_adapts_to_noise_as_adassp_says():
    # 100 rows, x of mean 0.1 and y of mean 0.2 in the box; centered, 29 and 8 are left.
    products = [[30.0, 10.0, 10.0], [10.0, 40.0, 20.0], [10.0, 20.0, 100.0]]
    for noise_scale in (0.01, 3.0, 10.0):
        solution = NoisyNormalEquationsSolver().minimize(Noisy(products, noise_scale))

        bound = noise_scale * math.sqrt(math.log(2 / 0.05))
        penalty = max(bound - max(29 - bound, 0), 0)
        slope = 8 / (29 + penalty)
        expected = [slope * 5 / 2, 10 + 5 * 0.2 - slope * 5 / 2 * (1 + 2 * 0.1)]
        np.testing.assert_allclose(solution.point, expected, rtol=1e-12)
    assert (solution.n_iter, solution.converged) == (1, True)


def test_products_that_only_noise_can_make_have_a_finite_solution():
    products = [[-30.0, 10.0, 90.0], [10.0, -40.0, 20.0], [90.0, 20.0, -5.0]]
    point = NoisyNormalEquationsSolver().minimize(Noisy(products, 10.0)).point

    # x's mean is at its bound of 1, its square less n times that negative: taken for zero.
    bound, n_rows = 10.0 * math.sqrt(math.log(2 / 0.05)), 10.0 * math.sqrt(2 * math.log(40))
    slope = (10 - n_rows * 1.0 * (20 / n_rows)) / bound
    np.testing.assert_allclose(point[0], slope * 5 / 2, rtol=1e-12)


def test_says_what_it_has_spent_and_keeps_no_more(diabetes):
    est = estimator().fit(*diabetes)

    assert est.privacy_spent_ == (1.0, 1e-6)
    assert est.privacy_spent_._fields == ("epsilon", "delta")
    assert {name for name in vars(est) if name.endswith("_")} == {
        *("coef_", "intercept_", "n_iter_", "n_rounds_", "clients_", "n_clients_"),
        *("n_features_in_", "privacy_spent_", "_summary_"),
    }
    with pytest.raises(ValueError, match="this fit has noise for differential privacy"):
        est.summary()


def test_the_only_message_of_a_client_is_one_masked_noisy_sum(diabetes):
    messages = []
    with observe(messages.append):
        estimator().fit(*diabetes)

    assert [m.kind for m in messages] == ["query"] * 3 + ["running sum"] * 3 + ["total"] * 3
    # 78 numbers in slots of 96 bits, 21 to a ciphertext, one slot empty.
    assert [len(m.payload) for m in messages[3:6]] == [46 + 4 * 512] * 3


def test_two_fits_of_the_same_rows_differ(diabetes):
    one, two = (estimator().fit(*diabetes) for _ in range(2))

    assert not np.array_equal(one.coef_, two.coef_)


def test_few_rows_are_not_refused_since_that_would_tell(diabetes, cut):
    shards = cut([1, 2, 1], *(array[:4] for array in diabetes))

    assert estimator(min_rows=3, min_rows_per_parameter=3.0).fit(shards).n_clients_ == 3


def test_is_a_parameter_like_others(diabetes):
    est = estimator(privacy(bounds_X=(np.full(10, -0.2), [0.2] * 10)))

    for again in (clone(est), pickle.loads(pickle.dumps(est)), copy.deepcopy(est)):
        assert again.privacy == est.privacy
        assert hash(again.privacy) == hash(est.privacy)
    assert est.privacy.bounds_X == ((-0.2,) * 10, (0.2,) * 10)
    assert clone(est).fit(*diabetes).privacy_spent_.epsilon == 1.0
    assert "epsilon=1.0" in repr(est)


def private_ring():
    rows = {label: LeastSquares(np.zeros((3, 2)), np.zeros(3)) for label in "ABC"}
    return form_ring(rows, 2048, rules=DisclosureRules(privacy=privacy()))


@pytest.mark.parametrize("query", [SumsQuery(), GramQuery(Slots.EXACT)])
def test_private_clients_answer_nothing_without_noise(query):
    ring = private_ring()
    ask = ring.exact_sum if isinstance(query, GramQuery) else ring.sum
    with pytest.raises(
        ValueError, match=f"client 'A' refuses a {type(query).__name__}: it agreed on differential"
    ):
        ask(query)


def test_private_clients_answer_once():
    ring = private_ring()
    ring.exact_sum(PrivateGramQuery())
    with pytest.raises(
        ValueError, match=r"client 'A' refuses to answer again: it agreed to spend epsilon=1\.0"
    ):
        ring.exact_sum(PrivateGramQuery())


def test_other_clients_have_no_noise_to_add():
    rows = {label: LeastSquares(np.zeros((3, 2)), np.zeros(3)) for label in "ABC"}
    with pytest.raises(
        ValueError, match="client 'A' refuses a PrivateGramQuery: it agreed on no bounds and no n"
    ):
        form_ring(rows, 2048).exact_sum(PrivateGramQuery())


@pytest.mark.parametrize(
    "other", [{"epsilon": 2.0}, {"honest_clients": 3}, {"bounds_X": (-1.0, 0.2)}, {"delta": 1e-7}]
)
def test_another_promise_is_another_roster(other):
    roster = private_ring().key_holder.roster
    rules = DisclosureRules(privacy=privacy(**other))

    assert replace(roster, rules=rules).digest != roster.digest


def test_a_client_without_rows_adds_noise_like_others():
    rows = {
        label: LeastSquares(np.zeros((n, 2)), np.zeros(n))
        for label, n in zip("ABC", (0, 3, 3), strict=True)
    }
    ring = form_ring(rows, 2048, rules=DisclosureRules(privacy=privacy()))

    assert len(ring.exact_sum(PrivateGramQuery())) == 10
    box = privacy().box(2, fit_intercept=True)
    assert bounded_gram(rows["A"], box).tolist() == [0] * 10


@pytest.mark.parametrize("scale", [2.0**59 * 1.01, 2.0**64, np.inf, np.nan])
def test_noise_that_64_bits_do_not_hold_is_not_drawn(scale):
    with pytest.raises(ValueError, match=r"Noise of a scale of .* use a larger epsilon or delta"):
        discrete_gaussian(scale, 3)


def test_the_largest_noise_is_drawn_whole():
    drawn = discrete_gaussian(MAX_SCALE, 5000) / MAX_SCALE

    assert kstest(drawn.astype(float), "norm").pvalue > FALSE_ALARMS


def test_an_epsilon_too_small_for_the_noise_is_refused_before_anything_is_sent(diabetes):
    messages = []
    with (
        observe(messages.append),
        pytest.raises(
            ValueError,
            match=r"epsilon=1e-09 and delta=1e-09 need noise as of .* rows from each client for "
            r"10 features, and 524,288 is the most; use a larger epsilon or delta\.",
        ),
    ):
        estimator(privacy(1e-9, 1e-9)).fit(*diabetes)
    assert not messages


def test_no_bound_makes_an_answer_that_depends_on_a_row_fail():
    """Whatever the rows, products of values far outside and at the edge are within the box."""
    values = np.array([[-1.7e308], [0.0], [5e-324], [1.7e308]])
    for bounds in ((0.0, 1e-323), (1e308, 1.5e308), (-8e307, 8e307), (0.0, 1e-300)):
        box = privacy(bounds_X=bounds).box(1, fit_intercept=True)
        triangle = bounded_gram(LeastSquares(values, np.zeros(4)), box)
        assert 0 <= triangle[0] <= 4 * 2**40


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"epsilon": 0}, "epsilon=0: pass a positive number"),
        ({"epsilon": -1.0}, "epsilon=-1.0: pass a positive number"),
        ({"epsilon": np.nan}, "epsilon=nan: pass a positive number"),
        (
            {"epsilon": np.inf},
            "epsilon=inf: pass a positive number, at most 20; what is larger protects nothing",
        ),
        ({"epsilon": "1"}, "epsilon='1': pass a positive number"),
        ({"delta": 0.0}, "delta=0.0: pass a number between 0 and 1"),
        ({"delta": 1.0}, "delta=1.0: pass a number between 0 and 1"),
        ({"honest_clients": 0}, "honest_clients=0: pass a number of clients, at least 1"),
        ({"honest_clients": 1.5}, "honest_clients=1.5: pass a number of clients"),
        ({"bounds_X": None}, "bounds_X=None: pass (lower, upper), finite and each lower bound"),
        ({"bounds_X": (1.0, 1.0)}, "bounds_X=(1.0, 1.0): pass (lower, upper)"),
        ({"bounds_X": (0.0, 5e-324)}, "bounds_X=(0.0, 5e-324): pass (lower, upper)"),
        ({"bounds_X": (0.0, np.inf)}, "bounds_X=(0.0, inf): pass (lower, upper)"),
        ({"bounds_X": (0.0, 1.0, 2.0)}, "bounds_X=(0.0, 1.0, 2.0): pass (lower, upper)"),
        ({"bounds_X": ([0.0, 1.0], [1.0, 1.0])}, "bounds_X=([0.0, 1.0], [1.0, 1.0]): pass"),
        ({"bounds_X": ([[0.0]], 1.0)}, "bounds_X=([[0.0]], 1.0): pass (lower, upper)"),
        ({"bounds_y": ([0.0], 1.0)}, "bounds_y=([0.0], 1.0): pass two numbers"),
        ({"bounds_y": ("a", 1.0)}, "bounds_y=('a', 1.0): pass (lower, upper)"),
    ],
)
def test_promises_out_of_order_are_refused(parameters, text):
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the text is asserted below)
        privacy(**parameters)
    assert text in str(error.value)


def test_bounds_are_not_taken_from_the_data():
    with pytest.raises(TypeError, match="bounds_X"):
        GaussianPrivacy(epsilon=1.0, delta=1e-6)


@pytest.mark.parametrize(
    ("parameters", "kind", "text"),
    [
        ({"privacy": 1.0}, TypeError, "privacy=1.0: pass None, or GaussianPrivacy(epsilon=..."),
        ({"solver": "gradient_descent"}, ValueError, "privacy with solver='gradient_descent': ea"),
        ({"solver": "conjugate_gradient"}, ValueError, "pass solver='normal_equations', which"),
        (
            {"privacy": privacy(honest_clients=4)},
            ValueError,
            "honest_clients=4 where 3 clients are here; rely on no more than there are",
        ),
        (
            {"privacy": privacy(bounds_X=(-0.2, [0.2] * 9))},
            ValueError,
            "bounds_X has 9 upper bounds where X has 10 features; pass one number, or one a feat",
        ),
    ],
)
def test_fits_that_do_not_go_with_privacy_are_refused(diabetes, parameters, kind, text):
    messages = []
    with observe(messages.append), pytest.raises(kind) as error:
        estimator().set_params(**parameters).fit(*diabetes)
    assert text in str(error.value)
    assert not messages


def test_sample_weights_are_refused(diabetes, cut):
    X, y = diabetes
    (a, b, c) = cut([100, 100, 242], X, y, np.ones(442))
    with pytest.raises(ValueError, match="client 2 has sample weights, with which a row could"):
        estimator().fit([a[:2], b[:2], c])


@pytest.mark.parametrize(
    ("missing", "call"),
    [
        ("dp_accounting", lambda: privacy().noise_multiplier),
        ("opendp.prelude", lambda: discrete_gaussian(1.0, 1)),
    ],
)
def test_says_what_to_install(monkeypatch, missing, call):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(
        ImportError,
        match=r"needs dp-accounting and OpenDP: pip install 'sklearn_fedphe\[privacy\]'",
    ):
        call()


def test_each_clients_share_of_the_noise_is_behind_masks(monkeypatch):
    """Alone, a share is less than was promised: only masks make it enough."""
    shown = []
    mask = PairwiseMasks.mask

    def masked(self, encoded, modulus, round_id):
        vector = mask(self, encoded, modulus, round_id)
        shown.append((encoded.integers, vector.integers))
        return vector

    monkeypatch.setattr(PairwiseMasks, "mask", masked)
    private_ring().exact_sum(PrivateGramQuery())

    assert len(shown) == 3
    assert all(not set(plain) & set(hidden) for plain, hidden in shown)
