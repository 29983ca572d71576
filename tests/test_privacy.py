"""What each party saw of a whole fit: every message, searched by one who can decrypt."""

import logging
import math
import struct

import gmpy2
import numpy as np
import pytest

from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.least_squares import LeastSquares
from sklearn_fedphe.own_steps import OwnSteps
from sklearn_fedphe.protocol import KEY_HOLDER, FederatedLeastSquares, form_ring, observe
from sklearn_fedphe.protocol.answers import answer, exact_answer
from sklearn_fedphe.protocol.envelope import RUNNING_SUM, TOTAL, QueryHeader, Round
from sklearn_fedphe.protocol.messages import (
    exact_total_from_bytes,
    running_sum_from_bytes,
    total_from_bytes,
)
from sklearn_fedphe.protocol.queries import GramQuery, SumsQuery, answer_size
from sklearn_fedphe.protocol.query_bytes import query_from_bytes, query_to_bytes
from sklearn_fedphe.solvers import ConjugateGradient, GradientDescent, NormalEquationsSolver

pytestmark = pytest.mark.usefixtures("known_key")

SIZES = [40, 110, 292]
LABELS = ["A", "B", "C"]
OWN_TYPES = {"sklearn_fedphe.linear_model", "sklearn_fedphe.inference"}


def fit(shards, **parameters):
    """Return the messages of a fit, and the estimator."""
    messages = []
    est = FederatedLinearRegression(key_length=2048, **parameters)
    with observe(messages.append):
        est.fit(dict(zip(LABELS, shards, strict=True)))
    return messages, est


@pytest.fixture(scope="module", params=["standard", "raw", "local", "conjugate", "exact"])
def parameters(request):
    return {
        "standard": {},
        "conjugate": {"solver": "conjugate_gradient"},
        "exact": {"solver": "normal_equations"},
        "raw": {"precondition": False, "max_iter": 12, "tol": None},
        "local": {
            "precondition": False,
            "init": "local",
            "learning_rate": 1.0,
            "max_iter": 8,
            "tol": None,
        },
    }[request.param]


@pytest.fixture(scope="module")
def shards(diabetes, cut):
    X, y = diabetes
    return cut(SIZES, X, y / 7)  # whole numbers have bytes that could be anything


@pytest.fixture(scope="module")
def seen(shards, parameters):
    """The messages of a fit, and the rows as the clients held them during it."""
    messages, est = fit(shards, **parameters)
    rows = [LeastSquares(X, y) for X, y in shards]
    if est.init == "local":
        steps = OwnSteps(est.learning_rate, est.max_iter, est.fit_intercept, est.precondition)
        rows = [
            steps.taken_from_zeros(label, own) for label, own in zip(LABELS, rows, strict=True)
        ]
    return messages, rows


def rounds_of(messages):
    """Each round's query, running sums (decoded) and total."""
    for number in range(1, messages[-1].round + 1):
        of_round = [message for message in messages if message.round == number]
        query, *same = (m.payload for m in of_round if m.kind == "query")
        total, *same_total = (m.payload for m in of_round if m.kind == "total")
        assert set(same) == {query}
        assert set(same_total) == {total}
        yield (
            query_from_bytes(QueryHeader.open(query)[1], 10),
            [m.payload for m in of_round if m.kind == "running sum"],
            total,
        )


def round_of(payload):
    """The round that a running sum or a total says it is of."""
    number, digest, *_ = (TOTAL if payload[1] == 3 else RUNNING_SUM).open(payload)[0]
    return Round(b"", number, digest)


def answer_of(query, own):
    """A client's own values: floats, or integers on a grid."""
    exact = isinstance(query, GramQuery)
    return exact_answer(query, own) if exact else answer(query, own)


def total_of(query, payload):
    size, of_round = answer_size(query, 10), round_of(payload)
    if isinstance(query, GramQuery):
        return exact_total_from_bytes(payload, query.slots.slot_bits, size, of_round)
    return total_from_bytes(payload, size, of_round)


def ciphertexts_of(query, payload, public_key):
    layout = query.slots.layout(public_key.plaintext_bits, len(SIZES))
    size = answer_size(query, 10)
    return running_sum_from_bytes(payload, public_key, layout, size, round_of(payload))


def test_messages_take_the_ways_of_the_protocol_and_no_other(seen):
    messages, _ = seen
    ways = {
        "query": {(KEY_HOLDER, label) for label in LABELS},
        "running sum": {("A", "B"), ("B", "C"), ("C", KEY_HOLDER)},
        "total": {(KEY_HOLDER, label) for label in LABELS},
    }
    for kind, expected in ways.items():
        assert {(m.sender, m.receiver) for m in messages if m.kind == kind} == expected
    assert {m.kind for m in messages} == set(ways)


def test_what_leaves_a_client_is_ciphertexts_each_unlike_every_other(seen, known_key):
    public_key = known_key.public_key
    hops = [
        [ciphertexts_of(query, payload, public_key).ciphertexts for payload in sums]
        for query, sums, _ in rounds_of(seen[0])
    ]
    ciphertexts = [c for of_round in hops for hop in of_round for c in hop]

    assert len(ciphertexts) > 20
    assert len(set(ciphertexts)) == len(ciphertexts)
    assert all(1 <= c < public_key.n_squared for c in ciphertexts)
    assert all(gmpy2.gcd(c, public_key.n) == 1 for c in ciphertexts)
    # Modulo n a ciphertext is the product of its hiding factors alone. What a client put in
    # is what went out over what came in: no client ever uses a factor twice, or 1.
    factors = [
        c * gmpy2.invert(before, public_key.n) % public_key.n
        for of_round in hops
        for hop, came_in in zip(of_round, [[1] * len(of_round[0]), *of_round], strict=False)
        for c, before in zip(hop, came_in, strict=True)
    ]
    assert len(factors) == len(ciphertexts)
    assert len({1, *factors}) == len(factors) + 1


def test_a_running_sum_is_a_header_and_ciphertexts_and_not_a_byte_more(seen, known_key):
    """Parsed here by the documented format: nothing is left that could hold a count of rows."""
    key = known_key.public_key
    for number, (query, sums, total) in enumerate(rounds_of(seen[0]), 1):
        size = answer_size(query, 10)
        n_slots = key.plaintext_bits // query.slots.slot_bits
        digest = total[6:38]
        for position, payload in enumerate(sums, 1):
            header, body = payload[:46], payload[46:]
            assert header == struct.pack(">BBI32sII", 1, 2, number, digest, size, position)
            assert len(body) == math.ceil((size + 1) / n_slots) * 512


def test_each_hop_is_masked_and_the_last_is_the_total(seen, known_key):
    messages, rows = seen
    for query, sums, total in rounds_of(messages):
        layout = query.slots.layout(known_key.public_key.plaintext_bits, len(SIZES))
        exact = isinstance(query, GramQuery)
        encode, decode = layout.encode, layout.decode
        if exact:
            encode, decode = layout.encode_integers, layout.decode_integers
        expected = 0
        for n_terms, (own, payload) in enumerate(zip(rows, sums, strict=True), 1):
            hop = known_key.decrypt(ciphertexts_of(query, payload, known_key.public_key))
            own_integers = encode(answer_of(query, own)).integers
            expected = expected + np.array(own_integers, dtype=object)
            assert hop.n_terms == n_terms
            if n_terms < len(SIZES):
                assert not set(hop.integers) & set(expected)
                with pytest.raises(ValueError, match="is not a sum of encoded vectors"):
                    decode(hop)
        assert list(hop.integers) == list(expected)
        np.testing.assert_array_equal(total_of(query, total), decode(hop))


def test_what_is_broadcast_follows_from_the_totals_alone(seen, parameters):
    """A stranger who knows the totals and the parameters, but no row, asks the same."""
    replay = Replay(list(rounds_of(seen[0])))
    objective = FederatedLeastSquares(
        replay,
        10,
        fit_intercept=True,
        precondition=parameters.get("precondition", True),
        alpha=0.0,
    )
    limits = parameters.get("max_iter", 1000), parameters.get("tol", 1e-6)
    solver = {
        "gradient_descent": GradientDescent(parameters.get("learning_rate", "auto"), *limits),
        "conjugate_gradient": ConjugateGradient(*limits),
        "normal_equations": NormalEquationsSolver(),
    }[parameters.get("solver", "gradient_descent")]
    solver.minimize(objective)
    if "init" in parameters:
        objective.mean_start()

    assert not replay.rounds


class Replay:
    n_clients = 3

    def __init__(self, rounds):
        self.rounds = rounds

    def sum(self, query):
        asked, _, total = self.rounds.pop(0)
        assert query_to_bytes(query) == query_to_bytes(asked)
        return total_of(query, total)

    def exact_sum(self, query):
        return self.sum(query)


def test_nothing_of_one_client_is_in_the_clear_anywhere(seen, shards):
    messages, rows = seen
    everything, floats = b"|".join(m.payload for m in messages), public_floats(messages)
    values = {v for X, y in shards for v in [*X.ravel(), *y, *X.sum(axis=0), y.sum(), len(y)]}
    for query, _, _ in rounds_of(messages):
        for own in rows:
            values |= set(answer_of(query, own))
    # Scales of a frame may be powers of two, and a patient's target 128 as well.
    values = {v for v in values if v and abs(math.frexp(v)[0]) != 0.5}
    assert len(values) > 1500

    assert not values & floats
    for value in values:
        for written in in_the_clear(value):
            assert written not in everything, value


def public_floats(messages):
    """Every float of every public message, where its format has them."""
    parts = [TOTAL.open(m.payload)[1] for m in messages if m.kind == "total"]
    parts += [QueryHeader.open(m.payload)[1][6:] for m in messages if m.kind == "query"]
    return {value for part in parts for value in np.frombuffer(part)}


def in_the_clear(value):
    """Bytes that would give the value away anywhere; none so short that chance has them."""
    if isinstance(value, int) and abs(value) > 2**64:
        return [value.to_bytes(64, order, signed=True) for order in ("big", "little")]
    candidates = [np.float64(value).tobytes(), np.float64(value).byteswap().tobytes()]
    for slot_bits, fraction_bits in ((64, 48), (128, 64), (512, 256)):
        scaled = round(math.ldexp(value, fraction_bits))
        if abs(scaled) < 2 ** (slot_bits - 1):
            candidates += [
                scaled.to_bytes(slot_bits // 8, order, signed=True) for order in ("big", "little")
            ]
    return [c for c in candidates if len(c.replace(b"\0", b"").replace(b"\xff", b"")) >= 5]


def test_the_search_finds_what_is_there(seen):
    """The totals are in the clear: the search above must find them, or it finds nothing."""
    messages, _ = seen
    everything, floats = b"|".join(m.payload for m in messages), public_floats(messages)

    found = 0
    for query, _, total in rounds_of(messages):
        values = set(total_of(query, total)) | set(getattr(query, "point", []))
        if isinstance(query, GramQuery):
            written = [w for v in values for w in in_the_clear(v)[1:]]
        else:
            assert values <= floats
            written = [np.float64(v).tobytes() for v in values]
            written = [w for w, v in zip(written, values, strict=True) if w in in_the_clear(v)]
        assert all(w in everything for w in written)
        found += len(written)
    assert found > 50


def test_lengths_do_not_depend_on_the_data(shards, parameters):
    generator = np.random.default_rng(0)
    others = [
        (1e3 * generator.normal(size=(rows, 10)), 1e-3 * generator.normal(size=rows))
        for rows in (7, 300, 20)
    ]
    parameters = parameters | {"tol": None, "max_iter": 4, "learning_rate": 1e-12}

    def lengths(shards):
        return [
            (m.round, m.sender, m.receiver, m.kind, len(m.payload))
            for m in fit(shards, **parameters)[0]
        ]

    assert lengths(shards) == lengths(others)


def reachable(*roots):
    """Every object that can be reached from the given ones through attributes and items."""
    visited, nodes = {}, list(roots)
    while nodes:
        node = nodes.pop()
        if id(node) in visited or isinstance(node, type):
            continue
        visited[id(node)] = node
        nodes += list(getattr(node, "__dict__", {}).values())
        if isinstance(node, dict):
            nodes += [*node.keys(), *node.values()]
        elif isinstance(node, (list, tuple, set, frozenset)):
            nodes += list(node)
        elif isinstance(node, np.ndarray):
            nodes += node.tolist()
    return visited.values()


def test_nothing_secret_is_reachable_from_a_fitted_estimator(shards, parameters):
    _, est = fit(shards, **parameters)
    fitted = {name for name in vars(est) if name.endswith("_")}
    expected = {"coef_", "intercept_", "n_iter_", "n_rounds_", "clients_", "n_clients_"}
    expected |= {"n_features_in_"}
    if est.init == "local":
        expected |= {"client_coef_", "client_intercept_"}
    if est.solver == "normal_equations":
        expected |= {"rank_", "covariance_", "residual_variance_", "dof_", "_summary_"}
    else:
        expected |= {"gradient_norms_"}
    assert fitted == expected

    numbers = {node for node in reachable(est) if isinstance(node, (int, float))}
    allowed = {*est.coef_, est.intercept_, est.n_iter_, est.n_rounds_, 3, 10}
    allowed |= {v for v in est.get_params().values() if isinstance(v, (int, float))}
    if est.init == "local":
        allowed |= {*est.client_coef_.ravel(), *est.client_intercept_}
    if est.solver == "normal_equations":
        summary = est.summary()
        allowed |= {*est.covariance_.ravel(), est.residual_variance_, est.dof_}
        allowed |= {summary.residual_ss, summary.total_ss, summary.n_rows}
    else:
        allowed |= {*est.gradient_norms_}
    assert numbers <= allowed
    assert all(
        type(node).__module__ in {"builtins", "numpy"} | OWN_TYPES for node in reachable(est)
    )
    assert len(repr(est)) < 200


def test_no_client_can_reach_the_private_key(shards, known_key):
    ring = form_ring(
        {label: LeastSquares(X, y) for label, (X, y) in zip(LABELS, shards, strict=True)}, 2048
    )
    ring.sum(SumsQuery())
    secret = {known_key._key.p, known_key._key.q}

    of_clients = list(reachable(*ring.clients))

    assert not any(isinstance(node, type(known_key)) for node in of_clients)
    assert not {int(node) for node in of_clients if isinstance(node, (int, gmpy2.mpz))} & secret
    # The same walk finds it where it is.
    assert secret <= {node for node in reachable(ring.key_holder) if isinstance(node, int)}


def test_nothing_is_printed_or_logged(shards, parameters, capfd, caplog):
    caplog.set_level(logging.DEBUG)

    fit(shards, **parameters)

    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_verbose_prints_nothing_of_what_a_client_trains_alone(shards, capsys):
    _, est = fit(
        shards,
        init="local",
        learning_rate=1.0,
        max_iter=8,
        tol=None,
        precondition=False,
        verbose=1,
    )

    assert len(capsys.readouterr().out.splitlines()) == est.n_iter_


def test_an_overflow_carries_no_value_of_the_client(shards):
    too_large = [(X, y * 1e80) for X, y in shards]

    with pytest.raises(OverflowError, match="client 'A' would send") as error:
        fit(too_large)

    assert error.value.__cause__ is None
    assert error.value.__context__ is None
    assert error.value.args == (str(error.value),)
    assert vars(error.value) == {}
