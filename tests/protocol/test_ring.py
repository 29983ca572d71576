import math
from types import SimpleNamespace

import gmpy2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_fedphe.crypto.masking import IdentityKey
from sklearn_fedphe.crypto.paillier import PublicKey
from sklearn_fedphe.least_squares import Frame, LeastSquares
from sklearn_fedphe.protocol import (
    KEY_HOLDER,
    Client,
    DisclosureRules,
    KeyHolder,
    RefusedMessageError,
    RingSum,
    Roster,
    form_ring,
    observe,
)
from sklearn_fedphe.protocol import ring as ring_module
from sklearn_fedphe.protocol.disclosure import ANY_ROWS
from sklearn_fedphe.protocol.envelope import RUNNING_SUM, TOTAL, QueryHeader
from sklearn_fedphe.protocol.messages import exact_total_to_bytes, n_ciphertexts, total_to_bytes
from sklearn_fedphe.protocol.queries import (
    ErrorsQuery,
    GradientQuery,
    GramQuery,
    PrivateGramQuery,
    Slots,
    SquaresQuery,
    StartQuery,
    SumsQuery,
    answer_size,
)
from sklearn_fedphe.protocol.query_bytes import query_to_bytes


def ring_of(vectors, private_key, public_key=None, rules=ANY_ROWS):
    """Clients whose answers to a StartQuery are these vectors, and a key holder."""
    keys = [IdentityKey() for _ in vectors]
    identities = {i: key.identity for i, key in enumerate(keys)}
    fingerprint, n_features = private_key.public_key.fingerprint, len(vectors[0]) - 1
    roster = Roster(b"s" * 16, fingerprint, n_features, identities, rules)
    clients = []
    for i, (*coef, intercept) in enumerate(vectors):
        rows = LeastSquares(np.ones((1, len(coef))), np.ones(1), start=(np.array(coef), intercept))
        key = public_key or private_key.public_key
        clients.append(Client(i, rows, key, roster, keys[i]))
    return RingSum(clients, KeyHolder(private_key, roster))


def pass_on(client, running, question):
    """What a client sends on, when the running sum comes to it."""
    return client.add_to(running, client.public_key.encrypt(client.encode(question)))


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


@pytest.mark.parametrize("ready", [0, 7, 25, 28])
def test_each_client_takes_one_hiding_factor_a_ciphertext(short_key, monkeypatch, ready):
    public_key = PublicKey(short_key.public_key.n)
    ring = ring_of([[1.0, 2.0, 3.0, 4.0]] * 5, short_key, public_key)
    public_key.prepare(ready)
    taken = []
    obfuscator = public_key._obfuscator
    draw = obfuscator.draw
    monkeypatch.setattr(obfuscator, "draw", lambda: taken.append(draw()) or taken[-1])

    np.testing.assert_array_equal(ring.sum(StartQuery()), [5.0, 10.0, 15.0, 20.0])

    assert len(taken) == len(set(taken)) == 5 * 5  # a wide slot fills a plaintext; one is empty
    assert len(obfuscator._ready) == max(ready - 25, 0)


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
    assert len(powers) == 2 * (3 + 1)


@pytest.mark.parametrize(
    ("n_features", "key_length"), [(4, 2048), (29, 2048), (30, 2048), (46, 3072)]
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
    expected = math.ceil((n_features + 2) / slots)  # an intercept, and a slot left empty
    sums = [message.payload for message in seen if message.kind == "running sum"]
    assert [n_ciphertexts(payload, key_length) for payload in sums] == [expected] * 3


@pytest.mark.parametrize("passed", [[], [0], [0, 1], [0, 1, 2, 3]])
def test_key_holder_opens_no_partial_total(private_key, passed):
    ring = ring_of([[1.0, 2.0]] * 5, private_key)
    question, _ = ring.key_holder.ask(StartQuery())
    running = b""
    for i in passed:
        running = pass_on(ring.clients[i], running, question)

    with pytest.raises(RefusedMessageError) as error:
        ring.key_holder.open_total(running)

    if passed:
        expected = f"opens totals of all 5 clients, and {len(passed)} entered this one"
        assert expected in str(error.value)
    else:
        assert "A running sum of 0 bytes" in str(error.value)


@pytest.mark.parametrize("query", [StartQuery(), SumsQuery(), GramQuery(Slots.EXACT)])
@pytest.mark.parametrize("n_hops", [1, 2])
def test_a_hop_that_is_called_a_total_opens_to_an_error(private_key, query, n_hops):
    """The count of terms is bookkeeping, and forged here; masks that do not cancel are not."""
    for _ in range(5):
        ring = ring_of([[1.0, 2.0, 3.0, 4.0]] * 3, private_key)
        question, _ = ring.key_holder.ask(query)
        running = b""
        for client in ring.clients[:n_hops]:
            running = pass_on(client, running, question)
        forged = bytearray(running)
        forged[RUNNING_SUM.size - 1] = 3

        with pytest.raises(ValueError, match="The decrypted total is not a sum of encoded vec"):
            ring.key_holder.open_total(bytes(forged))


def test_clients_that_were_asked_different_things_have_no_total(private_key):
    ring = ring_of([[1.0, 2.0]] * 3, private_key)
    one, of_round = ring.key_holder.ask(SumsQuery())
    two = QueryHeader.open(one)[0].seal(query_to_bytes(SquaresQuery(np.zeros(1), 0.0)))
    running = b""
    for client, question in zip(ring.clients, (one, one, two), strict=True):
        own = client.public_key.encrypt(client.encode(question))
        client._transcript._open = of_round  # it goes on as if it had been asked the same
        running = client.add_to(running, own)

    with pytest.raises(ValueError, match="The decrypted total is not a sum of encoded vectors"):
        ring.key_holder.open_total(running)


def test_a_client_adds_once_a_round(private_key):
    ring = ring_of([[1.0, 2.0]] * 3, private_key)
    question, _ = ring.key_holder.ask(StartQuery())
    client = ring.clients[0]
    own = client.public_key.encrypt(client.encode(question))
    running = client.add_to(b"", own)

    with pytest.raises(
        RefusedMessageError,
        match="client 0 has added to round 1 before; every client adds exactly once",
    ):
        client.add_to(running, own)


@pytest.mark.parametrize(("position", "came"), [(0, 1), (1, 2), (2, 1)])
def test_a_client_adds_in_its_place(private_key, position, came):
    ring = ring_of([[1.0, 2.0]] * 4, private_key)
    question, _ = ring.key_holder.ask(StartQuery())
    encrypted = [c.public_key.encrypt(c.encode(question)) for c in ring.clients]
    forged = bytearray(ring.clients[0].add_to(b"", encrypted[0]))
    forged[RUNNING_SUM.size - 1] = came
    client = ring.clients[position]
    client._has_added = False  # the first has

    with pytest.raises(RefusedMessageError) as error:
        client.add_to(bytes(forged), encrypted[position])
    assert error.match(
        f"client {position} comes after {position} others in the ring, and {came} have entered "
        "this running sum; each adds once, in order"
    )


def test_a_refused_running_sum_changes_nothing(private_key):
    ring = ring_of([[1.0, 2.0]] * 3, private_key)
    question, _ = ring.key_holder.ask(StartQuery())
    first, second = [c.public_key.encrypt(c.encode(question)) for c in ring.clients[:2]]
    running = ring.clients[0].add_to(b"", first)

    with pytest.raises(RefusedMessageError):
        ring.clients[1].add_to(running[:-1], second)
    assert len(ring.clients[1].add_to(running, second)) == len(running)


def test_only_the_first_begins(private_key):
    ring = ring_of([[1.0, 2.0]] * 3, private_key)
    question, _ = ring.key_holder.ask(StartQuery())
    with pytest.raises(RefusedMessageError, match="A running sum of 0 bytes"):
        pass_on(ring.clients[1], b"", question)


def test_a_total_is_opened_once(private_key):
    ring = ring_of([[1.0, 2.0]] * 3, private_key)
    question, _ = ring.key_holder.ask(StartQuery())
    running = b""
    for client in ring.clients:
        running = pass_on(client, running, question)
    ring.key_holder.open_total(running)

    with pytest.raises(
        RefusedMessageError, match="the key holder refuses a message where no round is open: it "
    ):
        ring.key_holder.open_total(running)


def test_a_running_sum_that_did_not_open_is_not_followed_by_another(private_key):
    """Else whoever relays could alter the count of rows until the key holder tells the total."""
    ring = ring_of([[1.0, 2.0]] * 3, private_key, rules=DisclosureRules(100))
    question, _ = ring.key_holder.ask(SumsQuery())
    running = b""
    for client in ring.clients:
        running = pass_on(client, running, question)
    with pytest.raises(ValueError, match="a model of 100 parameters on fewer rows in all"):
        ring.key_holder.open_total(running)

    with pytest.raises(
        RefusedMessageError,
        match="The key holder has decrypted a running sum of round 1 before, and opens one a r",
    ):
        ring.key_holder.open_total(running)


def test_a_refused_query_changes_nothing(private_key):
    ring = ring_of([[1.0, 2.0]] * 3, private_key)
    client = ring.clients[0]
    question, _ = ring.key_holder.ask(StartQuery())
    garbage = QueryHeader.open(question)[0].seal(b"garbage")
    others = [
        QueryHeader.open(question)[0].seal(query_to_bytes(query))
        for query in (PrivateGramQuery(), ErrorsQuery(0.0))
    ]

    for refused in (garbage, *others):
        with pytest.raises(RefusedMessageError):
            client.encode(refused)
    assert client.encode(question).size == 2


@pytest.mark.parametrize("query", [SumsQuery(), GramQuery(Slots.EXACT)])
def test_a_client_hears_a_total_of_what_was_asked_and_nothing_else(private_key, query):
    ring = ring_of([[1.0, 2.0]] * 3, private_key)
    client = ring.clients[0]
    question, of_round = ring.key_holder.ask(query)
    client.encode(question)
    size = answer_size(query, 1)
    if isinstance(query, GramQuery):
        total = exact_total_to_bytes(np.ones(size, dtype=object), 511, of_round)
        wrong = exact_total_to_bytes(np.full(size, 2**510, dtype=object), 511, of_round)
        text = "A total holds a number that no slot of 511 bits does; it was altered"
    else:
        total = total_to_bytes(np.ones(size), of_round)
        wrong = total_to_bytes(np.full(size, np.nan), of_round)
        text = "A total holds a number that is not finite; it was altered"

    with pytest.raises(RefusedMessageError, match=text):
        client.hear(wrong)
    with pytest.raises(RefusedMessageError, match="it was cut off, or something was added"):
        client.hear(TOTAL.seal(b"junk", of_round.number, of_round.digest))
    client.hear(total)


def test_errors_are_asked_of_predictions_alone(private_key):
    with pytest.raises(
        RefusedMessageError, match="An ErrorsQuery, where there are no predictions"
    ):
        ring_of([[1.0, 2.0]] * 3, private_key).sum(ErrorsQuery(0.0))


def test_rows_have_as_many_columns_as_the_roster_says(private_key):
    key = IdentityKey()
    identities = {"A": key.identity, "B": b"B" * 32, "C": b"C" * 32}
    roster = Roster(b"s" * 16, private_key.public_key.fingerprint, 3, identities)
    rows = LeastSquares(np.ones((2, 2)), np.ones(2))
    with pytest.raises(
        ValueError, match="client 'A' has 2 features, where the roster says 3; all"
    ):
        Client("A", rows, private_key.public_key, roster, key)


def test_the_key_holder_takes_no_other_key_than_was_agreed(private_key, short_key):
    roster = ring_of([[1.0, 2.0]] * 3, private_key).key_holder.roster
    with pytest.raises(ValueError, match="is not the one on the roster"):
        KeyHolder(short_key, roster)


def test_a_fit_checks_the_key_that_clients_are_sent(monkeypatch):
    """A modulus with a small factor, where a key is made."""
    n = gmpy2.next_prime(2**1020) * 11
    weak = SimpleNamespace(public_key=PublicKey(n))
    monkeypatch.setattr(ring_module, "generate_private_key", lambda _: weak)
    rows = {name: LeastSquares(np.ones((2, 1)), np.ones(2)) for name in "ABC"}
    with pytest.raises(ValueError, match="A public key"):
        form_ring(rows, int(n).bit_length())


def test_a_round_that_failed_ends_the_fit(private_key):
    ring = ring_of([[1.0, 1e200]] * 3, private_key)
    with pytest.raises(OverflowError, match="client 0 would send"):
        ring.sum(StartQuery())

    with pytest.raises(
        RefusedMessageError,
        match=r"the key holder asks nothing new before the total of round 1 is told\. If the "
        r"round has failed, the fit ends here; begin a new one",
    ):
        ring.sum(SumsQuery())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda clients: clients.pop(1), r"the ring is \[0, 2, 3\] \(1 left\): the fit ends"),
        (lambda clients: clients.reverse(), r"\[3, 2, 1, 0\] \(in another order\)"),
        (lambda clients: setattr(clients[0], "label", "X"), r"\(0 left, 'X' joined\)"),
    ],
    ids=["leaves", "another order", "another"],
)
def test_a_client_that_leaves_or_joins_ends_the_fit(private_key, change, text):
    ring = ring_of([[1.0, 2.0]] * 4, private_key)
    ring.sum(StartQuery())
    change(ring.clients)

    with pytest.raises(ValueError, match=r"The clients of this fit are \[0, 1, 2, 3\]") as error:
        ring.sum(StartQuery())
    assert error.match(text)
    assert error.match("Fit anew with those who are there")


def test_a_party_takes_no_other_key_than_was_agreed(private_key, short_key):
    with pytest.raises(ValueError, match="is not the one on the roster") as error:
        ring_of([[1.0, 2.0]] * 3, private_key, short_key.public_key)
    assert short_key.public_key.fingerprint.hex() in str(error.value)


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
    client = ring_of([[1.0, 2.0]] * 3, short_key).clients[0]

    assert type(client.public_key) is PublicKey
    assert not hasattr(client.public_key, "decrypt")
