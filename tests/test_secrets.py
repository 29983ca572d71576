"""Keys, pairs' secrets, masks and hiding factors stay where they are: in no object that gets out.

The walk follows every reference that Python's garbage collector knows, and the local variables
of the frames that an error keeps alive. Beside objects it looks for the key's own primes.
"""

import copy
import gc
import logging
import pickle
import types
import warnings
import weakref

import gmpy2
import numpy as np
import phe
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import sklearn_fedphe
from sklearn_fedphe import FederatedLinearRegression, FederatedStandardScaler, callbacks, evaluate
from sklearn_fedphe.crypto.encoded_vector import EncodedVector
from sklearn_fedphe.crypto.factor_pool import FactorPool
from sklearn_fedphe.crypto.masking import IdentityKey, PairwiseMasks
from sklearn_fedphe.crypto.obfuscation import Obfuscator
from sklearn_fedphe.crypto.paillier import PrivateKey
from sklearn_fedphe.least_squares import LeastSquares
from sklearn_fedphe.protocol import Client, KeyHolder, RingSum, form_ring, observe
from sklearn_fedphe.protocol.queries import SumsQuery

pytestmark = pytest.mark.usefixtures("known_key")

SECRETS = (
    PrivateKey,
    phe.PaillierPrivateKey,
    IdentityKey,
    X25519PrivateKey,
    PairwiseMasks,
    FactorPool,
    Obfuscator,
    EncodedVector,
    LeastSquares,
    Client,
    KeyHolder,
    RingSum,
)
OF_THE_INTERPRETER = (types.ModuleType, type, types.CodeType, weakref.ref)
PACKAGE = sklearn_fedphe.__path__[0]


def reachable(*roots):
    """Every object that a reference leads to; of frames, those of the package's own alone."""
    visited, nodes = {id(nodes): None for nodes in ()}, list(roots)
    while nodes:
        node = nodes.pop()
        if id(node) in visited or isinstance(node, OF_THE_INTERPRETER):
            continue
        visited[id(node)] = node
        if isinstance(node, types.FrameType):
            if node.f_code.co_filename.startswith(PACKAGE):
                nodes += node.f_locals.values()
        elif isinstance(node, types.TracebackType):
            nodes += [node.tb_frame, node.tb_next]
        elif isinstance(node, types.FunctionType):
            nodes += [node.__closure__, node.__defaults__, node.__kwdefaults__]
        elif isinstance(node, BaseException):
            nodes += [node.args, vars(node), node.__cause__, node.__context__, node.__traceback__]
        else:
            nodes += gc.get_referents(node)
    return list(visited.values())


def secrets_in(private_key, *roots):
    primes = {private_key._key.p, private_key._key.q}
    return [
        node
        for node in reachable(*roots)
        if isinstance(node, SECRETS)
        or (isinstance(node, (int, gmpy2.mpz)) and not isinstance(node, bool) and node in primes)
    ]


@pytest.fixture(scope="module")
def shards(diabetes, cut):
    X, y = diabetes
    return dict(zip("ABC", cut([100, 150, 192], X, y), strict=True))


@pytest.fixture
def ring(shards):
    return form_ring({label: LeastSquares(*of) for label, of in shards.items()}, 2048)


def estimator(**parameters):
    return FederatedLinearRegression(key_length=2048, **parameters)


LOCAL = {"init": "local", "max_iter": 3, "tol": None, "learning_rate": 0.1}


@pytest.mark.parametrize(
    "parameters",
    [{}, {"solver": "conjugate_gradient"}, {"solver": "normal_equations"}, LOCAL, {"n_jobs": 2}],
    ids=["default", "conjugate", "exact", "local", "two cores"],
)
def test_none_is_reachable_from_a_fitted_estimator(shards, known_key, parameters):
    est = estimator(**parameters).fit(shards)
    again = pickle.loads(pickle.dumps(est))

    assert not secrets_in(known_key, est, again, copy.deepcopy(est))
    assert len(reachable(est)) > 15


def test_none_is_reachable_from_a_fitted_scaler_or_scores(shards, known_key):
    scaler = FederatedStandardScaler(key_length=2048).fit(shards)
    scores = evaluate(estimator().fit(shards), shards, key_length=2048)

    assert not secrets_in(known_key, scaler, scores)


def failures(shards):
    """One for each way in which a fit can fail once the ring is formed."""
    too_large = {label: (X, 1e80 * y) for label, (X, y) in shards.items()}
    few = {label: (X[:3], y[:3]) for label, (X, y) in shards.items()}
    off_grid = {label: (X * 1e-40, y) for label, (X, y) in shards.items()}
    yield OverflowError, "client 'A' would send", lambda: estimator().fit(too_large)
    yield (
        OverflowError,
        "client 'A' would send",
        lambda: estimator(solver="normal_equations").fit(off_grid),
    )
    yield ValueError, "more|fewer rows", lambda: estimator(min_rows=1).fit(few)
    yield ValueError, "refuses to take part", lambda: estimator(min_rows=101).fit(shards)
    yield ValueError, "learning_rate=300", lambda: estimator(learning_rate=300.0).fit(shards)
    yield (
        ValueError,
        "training alone",
        lambda: estimator(**LOCAL | {"learning_rate": 1e9}).fit(shards),
    )
    yield (
        OverflowError,
        "would send",
        lambda: FederatedStandardScaler(key_length=2048).fit(
            {label: (1e80 * X, y) for label, (X, y) in shards.items()}
        ),
    )
    yield (
        OverflowError,
        "would send",
        lambda: evaluate(estimator().fit(shards), too_large, key_length=2048),
    )


def test_none_is_reachable_from_any_error(shards, known_key):
    count = 0
    for kind, text, call in failures(shards):
        with pytest.raises(kind, match=text) as caught:
            call()
        assert not secrets_in(known_key, caught.value), text
        count += 1
    assert count == 8


def test_an_interrupted_fit_shows_none(shards, known_key, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(KeyHolder, "open_total", interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        estimator().fit(shards)

    assert not secrets_in(known_key, caught.value)
    assert caught.traceback[-1].name == "interrupt"


def test_none_is_in_what_observers_are_shown(shards, known_key):
    messages = []
    with observe(messages.append):
        estimator().fit(shards)

    assert not secrets_in(known_key, messages)
    secret = [int(prime).to_bytes(128, "big") for prime in (known_key._key.p, known_key._key.q)]
    assert not any(number in message.payload for number in secret for message in messages)


@pytest.mark.skipif(callbacks.framework is None, reason="scikit-learn has callbacks from 1.9 on")
def test_none_is_in_what_callbacks_are_told(shards, known_key):
    told = []

    class Recorder:
        def setup(self, **kwargs):
            told.append(kwargs)

        def teardown(self, **kwargs):
            told.append(kwargs)

        def on_fit_task_begin(self, *args, fitted_estimator=None, **kwargs):
            told.append((args, kwargs, fitted_estimator))

        def on_fit_task_end(self, *args, fitted_estimator=None, **kwargs):
            told.append((args, kwargs, fitted_estimator))

    estimator().set_callbacks(Recorder()).fit(shards)

    assert len(told) > 20
    assert not secrets_in(known_key, told)


def test_none_is_logged_or_warned_of(shards, known_key, caplog):
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator(max_iter=2).fit(shards)

    assert not caplog.records
    assert [w.category.__name__ for w in caught] == ["ConvergenceWarning"]
    assert not secrets_in(known_key, *(w.message for w in caught))


def test_the_walk_finds_them_where_they_are(shards, ring, known_key):
    found = {type(node) for node in secrets_in(known_key, ring)}
    assert found >= {PrivateKey, PairwiseMasks, LeastSquares, Client, KeyHolder, int}

    # Without its care for tracebacks, an error of the ring would show them too.
    rows = {label: LeastSquares(X, 1e200 * y) for label, (X, y) in shards.items()}
    with pytest.raises(OverflowError) as caught:
        form_ring(rows, 2048).sum(SumsQuery())
    assert {type(node) for node in secrets_in(known_key, caught.value)} >= {RingSum, Client}


@pytest.mark.parametrize("way", [repr, str, "{}".format, "{!a}".format])
def test_none_shows_in_a_text(ring, known_key, way):
    client = ring.clients[0]
    identity_key = IdentityKey()
    client.public_key.prepare(1)
    shown = [
        way(holder)
        for holder in (
            known_key,
            identity_key,
            client._masks,
            client.public_key,
            client.public_key._obfuscator,
            client.public_key._obfuscator._ready,
            client.encode(ring.key_holder.ask(SumsQuery())[0]),
            client,
            ring.key_holder,
            ring,
        )
    ]

    assert all(len(text) < 300 for text in shown)
    # Fingerprints and identities have 64 hexadecimal digits, of which all may be decimal ones;
    # the shortest secret number has 300.
    digits = "".join(c if c.isdigit() else " " for text in shown[:3] + shown[4:] for c in text)
    assert max(map(len, digits.split())) <= 64


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy])
def test_holders_of_secrets_are_neither_pickled_nor_copied(ring, known_key, way):
    client = ring.clients[0]
    client.public_key.prepare(1)
    pool = client.public_key._obfuscator._ready
    for holder in (known_key, IdentityKey(), client._masks, pool):
        with pytest.raises(TypeError, match="neither pickled nor copied"):
            way(holder)


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy])
def test_parties_and_what_they_encode_are_neither_pickled_nor_copied(ring, way):
    client = ring.clients[0]
    encoded = client.encode(ring.key_holder.ask(SumsQuery())[0])
    for party in (client, ring.key_holder, encoded):
        with pytest.raises(TypeError, match=f"{type(party).__name__} is neither pickled nor cop"):
            way(party)


@pytest.mark.parametrize("way", [pickle.dumps, copy.deepcopy])
def test_a_ring_is_neither_pickled_nor_copied_whole(ring, way):
    with pytest.raises(TypeError, match="Client is neither pickled nor copied: a second one"):
        way(ring)


def test_a_public_key_leaves_the_factors_behind(ring):
    public_key = ring.clients[0].public_key
    public_key.prepare(2)

    again = copy.deepcopy(public_key)

    assert again == public_key
    assert again is public_key or len(again._obfuscator._ready) == 0
    assert np.isfinite(len(pickle.dumps(public_key)))
    assert len(pickle.dumps(public_key)) < 600
