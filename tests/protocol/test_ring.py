import math

import gmpy2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_fedphe.crypto.paillier import PublicKey
from sklearn_fedphe.least_squares import Frame, LeastSquares
from sklearn_fedphe.protocol import KEY_HOLDER, RingSum, form_ring, observe
from sklearn_fedphe.protocol.messages import n_ciphertexts
from sklearn_fedphe.protocol.parties import Client, KeyHolder
from sklearn_fedphe.protocol.queries import (
    GradientQuery,
    Slots,
    SquaresQuery,
    StartQuery,
    SumsQuery,
    query_to_bytes,
)


def client_with(label, vector, public_key, n_clients):
    """A client whose answer to a StartQuery is `vector`."""
    *coef, intercept = vector
    rows = LeastSquares(np.ones((1, len(coef))), np.ones(1), start=(np.array(coef), intercept))
    return Client(label, rows, public_key, n_clients)


def ring_of(vectors, private_key, public_key=None):
    clients = [
        client_with(i, vector, public_key or private_key.public_key, len(vectors))
        for i, vector in enumerate(vectors)
    ]
    return RingSum(clients, KeyHolder(private_key, len(vectors), len(vectors[0]) - 1))


def pass_on(client, running, query):
    """What a client sends on, when the running sum comes to it."""
    return client.add_to(running, client.public_key.encrypt(client.encode(query)))


def assert_secure_sum(private_key, vectors, expected):
    """The ring's total is within rounding of what is expected."""
    total = ring_of(vectors, private_key).sum(StartQuery())
    bound = len(vectors) * 2.0**-257 + np.spacing(np.abs(expected))
    assert (np.abs(total - expected) <= bound).all()
    return total


@given(data=st.data())
def test_total_is_the_plain_total_whatever_the_order(short_key, data):
    size = data.draw(st.integers(2, 6))
    values = st.floats(-1e60, 1e60)
    vectors = data.draw(
        st.lists(st.lists(values, min_size=size, max_size=size), min_size=3, max_size=6)
    )
    expected = np.array([math.fsum(column) for column in zip(*vectors, strict=True)])

    total = assert_secure_sum(short_key, vectors, expected)

    shuffled = data.draw(st.permutations(vectors))
    np.testing.assert_array_equal(assert_secure_sum(short_key, shuffled, expected), total)


@pytest.mark.parametrize("n_clients", [1, 2])
def test_no_party_takes_part_in_a_ring_of_fewer_than_three(short_key, n_clients):
    text = f"A ring of {n_clients} clients, where at least 3 are needed"
    with pytest.raises(ValueError, match=text):
        client_with("A", [1.0, 2.0], short_key.public_key, n_clients)
    with pytest.raises(ValueError, match=text):
        KeyHolder(short_key, n_clients, 1)


def test_a_client_called_key_holder_is_not_the_key_holder():
    rows = {name: LeastSquares(np.ones((2, 1)), np.ones(2)) for name in ("A", "key holder", "C")}
    seen = []
    with observe(seen.append):
        form_ring(rows, 1024).sum(SumsQuery())

    assert [m.receiver for m in seen].count(KEY_HOLDER) == 1
    assert str(KEY_HOLDER) == "key holder"


def test_counts_its_rounds(short_key):
    ring = ring_of([[1.0, 2.0]] * 3, short_key)
    ring.sum(StartQuery())
    ring.sum(SumsQuery())

    assert ring.n_rounds == 2
    assert ring.n_clients == 3


@pytest.mark.parametrize("ready", [0, 7, 20, 23])
def test_each_client_takes_one_hiding_factor_a_ciphertext(short_key, monkeypatch, ready):
    public_key = PublicKey(short_key.public_key.n)
    ring = ring_of([[1.0, 2.0, 3.0, 4.0]] * 5, short_key, public_key)
    public_key.prepare(ready)
    taken = []
    obfuscator = public_key._obfuscator
    draw = obfuscator.draw
    monkeypatch.setattr(obfuscator, "draw", lambda: taken.append(draw()) or taken[-1])

    np.testing.assert_array_equal(ring.sum(StartQuery()), [5.0, 10.0, 15.0, 20.0])

    assert len(taken) == len(set(taken)) == 5 * 4  # a wide slot fills a short key's plaintext
    assert len(obfuscator._ready) == max(ready - 20, 0)


def test_clients_make_no_modular_power_and_the_key_holder_two_a_ciphertext(short_key, monkeypatch):
    ring = ring_of([[1.0, 2.0, 3.0]] * 4, short_key)
    ring.sum(StartQuery())  # the table stands
    powers, by_now = [], []
    powmod, open_total = gmpy2.powmod, ring.key_holder.open_total
    monkeypatch.setattr(gmpy2, "powmod", lambda *args: powers.append(1) or powmod(*args))
    monkeypatch.setattr(
        ring.key_holder,
        "open_total",
        lambda *args: by_now.append(len(powers)) or open_total(*args),
    )

    ring.sum(StartQuery())

    assert by_now == [0]
    assert len(powers) == 2 * 3


@pytest.mark.parametrize(
    ("n_features", "key_length"), [(4, 2048), (30, 2048), (31, 2048), (47, 3072)]
)
def test_ciphertexts_are_as_few_as_slots_allow(n_features, key_length):
    rows = {name: LeastSquares(np.ones((2, n_features)), np.ones(2)) for name in "ABC"}
    frame = Frame(np.zeros(n_features), np.ones(n_features), 0.0, 1.0, 1.0)
    seen = []
    with observe(seen.append):
        form_ring(rows, key_length).sum(
            GradientQuery(np.zeros(n_features + 1), frame, Slots.STANDARD)
        )

    slots = (key_length - 2) // 64
    expected = math.ceil((n_features + 1) / slots)
    sums = [message.payload for message in seen if message.kind == "running sum"]
    assert [n_ciphertexts(payload, key_length) for payload in sums] == [expected] * 3


@pytest.mark.parametrize("passed", [[], [0], [0, 1], [0, 0, 1], [0, 1, 2, 3]])
def test_key_holder_opens_no_partial_total(private_key, passed):
    ring = ring_of([[1.0, 2.0]] * 5, private_key)
    query = query_to_bytes(StartQuery())
    running = b""
    for i in passed:
        running = pass_on(ring.clients[i], running, query)

    with pytest.raises(ValueError) as error:  # noqa: PT011 (the text is asserted below)
        ring.key_holder.open_total(running, query)

    if passed:
        expected = f"opens totals of all 5 clients, and {len(passed)} entered this one"
        assert expected in str(error.value)
    else:
        assert "A running sum of 0 bytes" in str(error.value)


def test_more_terms_than_clients_are_refused(private_key):
    ring = ring_of([[1.0, 2.0]] * 4, private_key)
    query = query_to_bytes(StartQuery())
    running = b""
    for client in ring.clients:
        running = pass_on(client, running, query)

    with pytest.raises(ValueError, match=r"4 \+ 1 terms"):
        pass_on(ring.clients[0], running, query)


@pytest.mark.parametrize(
    ("query", "value", "bound"),
    [
        (SumsQuery(), 1e100, r"up to 2\*\*333"),
        (SquaresQuery(np.zeros(2), 0.0), 1e60, r"up to 2\*\*399"),
        (SquaresQuery(np.zeros(2), 0.0), 1e200, "no finite size"),
    ],
)
def test_names_the_client_whose_value_does_not_fit(query, value, bound):
    def rows(y):
        return LeastSquares(np.ones((1, 2)), np.array([y]))

    seen = []
    with (
        observe(seen.append),
        pytest.raises(
            OverflowError,
            match=rf"client 'B' would send a value of {bound} where this ring carries less than "
            r"2\*\*253; rescale X, y or sample_weight\.",
        ),
    ):
        form_ring({"A": rows(1.0), "B": rows(value), "C": rows(2.0)}, 1024).sum(query)

    assert {message.kind for message in seen} == {"query"}


def test_observer_is_shown_every_message_in_order():
    rows = {name: LeastSquares(np.ones((2, 1)), np.ones(2)) for name in "ABC"}
    seen, unseen = [], []
    with observe(seen.append):
        ring = form_ring(rows, 1024)
    with observe(unseen.append):
        pass
    ring.sum(SumsQuery())

    assert [(m.round, m.sender, m.receiver, m.kind) for m in seen] == [
        (1, KEY_HOLDER, "A", "query"),
        (1, KEY_HOLDER, "B", "query"),
        (1, KEY_HOLDER, "C", "query"),
        (1, "A", "B", "running sum"),
        (1, "B", "C", "running sum"),
        (1, "C", KEY_HOLDER, "running sum"),
        (1, KEY_HOLDER, "A", "total"),
        (1, KEY_HOLDER, "B", "total"),
        (1, KEY_HOLDER, "C", "total"),
    ]
    assert not unseen


def test_a_client_knows_no_private_key(short_key):
    client = client_with("A", [1.0, 2.0], short_key.public_key, 3)

    assert type(client.public_key) is PublicKey
    assert not hasattr(client.public_key, "decrypt")
