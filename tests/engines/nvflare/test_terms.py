import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_fedphe import GaussianPrivacy, __version__
from sklearn_fedphe.engines.nvflare.terms import Terms
from sklearn_fedphe.federation import Plan
from sklearn_fedphe.own_steps import OwnSteps
from sklearn_fedphe.protocol import DisclosureRules, RefusedMessageError

WRITTEN = {
    "version": __version__,
    "session": "07" * 16,
    "roster": "0a" * 32,
    "rules": {
        "n_parameters": 3,
        "min_rows": 5,
        "min_rows_per_parameter": 1.5,
        "fit_intercept": True,
    },
    "privacy": None,
    "own_steps": None,
}
PRIVACY = {
    "epsilon": 1.5,
    "delta": 1e-6,
    "bounds_X": [[0.0, -1.0], 2.5],
    "bounds_y": [-3.0, 4.0],
    "honest_clients": 3,
}
OWN_STEPS = {
    "learning_rate": "auto",
    "max_iter": 7,
    "fit_intercept": False,
    "precondition": True,
}

counts = st.integers(0, 10**9)
positive = st.floats(0, 1e300)
bounds = st.tuples(st.floats(-1e6, -0.1), st.floats(0.1, 1e6))
privacies = st.builds(
    GaussianPrivacy,
    epsilon=st.floats(1e-9, 20),
    delta=st.floats(1e-300, 0.5),
    bounds_X=bounds | st.tuples(st.just((-1.0, -2.0)), st.just((0.1, 1e300))),
    bounds_y=bounds,
    honest_clients=st.integers(1, 9),
)
all_rules = st.builds(
    DisclosureRules,
    n_parameters=counts,
    min_rows=counts,
    min_rows_per_parameter=positive,
    privacy=st.none() | privacies,
    fit_intercept=st.booleans(),
)
own_steps = st.builds(
    OwnSteps,
    learning_rate=st.just("auto") | positive,
    max_iter=counts,
    fit_intercept=st.booleans(),
    precondition=st.booleans(),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def read(written):
    data = written if isinstance(written, bytes) else json.dumps(written).encode()
    return Terms.from_bytes(data, "client 'north'")


@given(st.binary(min_size=16, max_size=16), all_rules, st.none() | own_steps)
def test_terms_survive_the_way(session, rules, steps):
    if rules.privacy is not None:
        steps = None
    terms = Terms(session, bytes(32), rules, steps)
    again = Terms.from_bytes(terms.to_bytes(), "client 'north'")
    assert again == terms
    assert repr(again) == repr(terms)


def test_terms_are_what_is_written():
    terms = read(WRITTEN | {"privacy": PRIVACY})
    assert terms.session == b"\x07" * 16
    assert terms.roster_digest == b"\x0a" * 32
    privacy = GaussianPrivacy(
        epsilon=1.5,
        delta=1e-6,
        bounds_X=((0.0, -1.0), 2.5),
        bounds_y=(-3.0, 4.0),
        honest_clients=3,
    )
    assert terms.rules == DisclosureRules(3, 5, 1.5, privacy, fit_intercept=True)
    steps = read(WRITTEN | {"own_steps": OWN_STEPS}).own_steps
    assert steps == OwnSteps("auto", 7, fit_intercept=False, precondition=True)


def test_steps_alone_come_with_no_privacy():
    with pytest.raises(
        RefusedMessageError, match="steps alone come before the noise, and would void its promise"
    ):
        read(WRITTEN | {"privacy": PRIVACY, "own_steps": OWN_STEPS})


def test_what_the_analyst_proposes_is_what_others_read(pinned):
    """NumPy's numbers become Python's, and 0 becomes 0.0, for the digest is of their repr."""
    rules = DisclosureRules(np.int64(3), np.int32(5), 0, fit_intercept=np.True_)
    steps = OwnSteps(np.float64(0.5), np.int64(9), fit_intercept=True, precondition=np.False_)
    proposed = Terms.propose(Plan(rules, 2048, steps), pinned)
    assert proposed == Terms.from_bytes(proposed.to_bytes(), "client 'north'")
    assert repr(proposed.rules) == repr(DisclosureRules(3, 5, 0.0, fit_intercept=True))
    assert repr(proposed.own_steps) == repr(
        OwnSteps(0.5, 9, fit_intercept=True, precondition=False)
    )
    assert proposed.roster_digest == pinned.digest
    assert len(proposed.session) == 16
    assert Terms.propose(Plan(rules, 2048), pinned).session != proposed.session


def test_privacy_of_numpys_numbers_survives(pinned):
    privacy = GaussianPrivacy(
        epsilon=np.float64(1),
        delta=np.float32(0.25),
        bounds_X=(np.zeros(2), np.ones(2)),
        bounds_y=(0, 1),
        honest_clients=np.int64(2),
    )
    proposed = Terms.propose(Plan(DisclosureRules(privacy=privacy), 2048), pinned).rules.privacy
    assert proposed == privacy
    assert {type(proposed.epsilon), type(proposed.delta)} == {float}
    assert type(proposed.honest_clients) is int


def test_the_roster_of_a_fit_is_that_of_all_who_pinned_the_same(pinned):
    terms = read(WRITTEN)
    roster = terms.roster_of(pinned)
    assert list(roster.identities) == ["north", "east", "south"]
    assert roster.identities["east"] == pinned.hospitals["east"].identity
    assert roster.key_fingerprint == pinned.public_key().fingerprint
    assert (roster.session, roster.n_features, roster.rules) == (terms.session, 2, terms.rules)
    assert read(WRITTEN).roster_of(pinned).digest == roster.digest
    assert read(WRITTEN | {"session": "08" * 16}).roster_of(pinned).digest != roster.digest


def test_limits_on_rows_count_all_parameters(pinned):
    """Else `min_rows_per_parameter` of a policy would be met by a fit that counts none."""
    for n_parameters in (2, 3):
        rules = DisclosureRules(n_parameters)
        Terms(bytes(16), bytes(32), rules, None).roster_of(pinned)
    few = Terms(bytes(16), bytes(32), DisclosureRules(1), None)
    message = "count 1 parameters where the roster has 2 features, so that fewer rows would do"
    with pytest.raises(RefusedMessageError, match=message):
        few.roster_of(pinned)


def test_noise_relies_on_no_more_clients_than_there_are(pinned):
    """Else each would add the smaller part of too many, and epsilon would be another."""
    privacy = GaussianPrivacy(
        epsilon=1, delta=1e-6, bounds_X=(0, 1), bounds_y=(0, 1), honest_clients=3
    )
    Terms(bytes(16), bytes(32), DisclosureRules(privacy=privacy), None).roster_of(pinned)
    rules = DisclosureRules(privacy=dataclasses.replace(privacy, honest_clients=4))
    message = "the noise of 4 honest clients where the roster has 3, so that there would be too"
    with pytest.raises(RefusedMessageError, match=message):
        Terms(bytes(16), bytes(32), rules, None).roster_of(pinned)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"5", b'"text"', b"[]", b"null", b"{}", b"[" * 100_000, b'{"version": 1}'],
)
def test_what_is_of_no_version_is_refused(data):
    message = rf"client 'north' runs version {__version__} of .* must run the same"
    with pytest.raises(RefusedMessageError, match=message):
        read(data)


def test_another_version_is_refused():
    with pytest.raises(RefusedMessageError, match=r"the fit comes from version '0\.0\.9'; all"):
        read(WRITTEN | {"version": "0.0.9"})
    with pytest.raises(RefusedMessageError) as caught:
        read(WRITTEN | {"version": "\ud800" * 10_000})
    assert len(str(caught.value).encode()) < 300


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        (None, {"session": "07" * 15}, "its session or roster has another length"),
        (None, {"session": 7}, "must be str, not int"),
        (None, {"session": "zz" * 16}, "non-hexadecimal number"),
        (None, {"roster": ""}, "its session or roster has another length"),
        (None, {"more": 1}, "it is not of own_steps, privacy, roster, rules, session"),
        (None, {"rules": None}, "None, where n_parameters, min_rows, .* are to be agreed on"),
        (None, {"rules": []}, "are to be agreed on"),
        (None, {"privacy": "much"}, "'much', where epsilon, delta, .* are to be agreed on"),
        (None, {"own_steps": 0}, "0, where learning_rate, .* are to be agreed on"),
        ("rules", {"more": 1}, "where n_parameters, min_rows, .* are to be agreed on"),
        ("rules", {"min_rows": True}, "min_rows=True is of the wrong kind"),
        ("rules", {"min_rows": 5.0}, "min_rows=5.0 is of the wrong kind"),
        ("rules", {"min_rows": -1}, "min_rows=-1 is negative, or not finite"),
        ("rules", {"min_rows": 10**400}, "min_rows=10+ is negative, or not finite"),
        ("rules", {"n_parameters": "3"}, "n_parameters='3' is of the wrong kind"),
        ("rules", {"n_parameters": "auto"}, "n_parameters='auto' is of the wrong kind"),
        ("rules", {"min_rows_per_parameter": math.nan}, "parameter=nan is negative, or not"),
        ("rules", {"min_rows_per_parameter": math.inf}, "parameter=inf is negative, or not"),
        ("rules", {"min_rows_per_parameter": 10**400}, "is negative, or not finite"),
        ("rules", {"fit_intercept": 1}, "fit_intercept=1 is of the wrong kind"),
        ("own_steps", {"learning_rate": "fast"}, "learning_rate='fast' is of the wrong kind"),
        ("own_steps", {"learning_rate": -0.1}, "learning_rate=-0.1 is negative"),
        ("own_steps", {"max_iter": 10**300}, "is negative, or not finite"),
        ("own_steps", {"precondition": None}, "precondition=None is of the wrong kind"),
        ("privacy", {"epsilon": True}, "epsilon=True is of the wrong kind"),
        ("privacy", {"epsilon": 10**400}, "is negative, or not finite"),
        ("privacy", {"epsilon": 0.0}, "epsilon=0.0: pass a positive number"),
        ("privacy", {"delta": math.nan}, "delta=nan is negative, or not finite"),
        ("privacy", {"delta": 1.0}, "delta=1.0: pass a number between 0 and 1"),
        ("privacy", {"honest_clients": 2.0}, "honest_clients=2.0 is of the wrong kind"),
        ("privacy", {"honest_clients": 0}, "honest_clients=0: pass a number of clients"),
        ("privacy", {"bounds_X": None}, "bounds_X=None is of the wrong kind"),
        ("privacy", {"bounds_X": ["0", "1"]}, r"bounds_X=\['0', '1'\] has what is no number"),
        ("privacy", {"bounds_X": [[], []]}, "has what is no number"),
        ("privacy", {"bounds_X": [False, True]}, "has what is no number"),
        ("privacy", {"bounds_X": [0, 10**400]}, "pass .lower, upper., finite"),
        ("privacy", {"bounds_X": [-1e308, 1e308]}, "pass .lower, upper., finite"),
        ("privacy", {"bounds_X": [math.nan, 1]}, "pass .lower, upper., finite"),
        ("privacy", {"bounds_y": [[0], [1]]}, "pass two numbers, .lower, upper."),
        ("privacy", {"bounds_y": [0, 1, 2]}, "pass .lower, upper., finite"),
        ("privacy", {"\ud800": 1}, "are to be agreed on"),
    ],
)
def test_terms_that_nobody_would_write_are_refused(part, change, message):
    given = {"rules": WRITTEN["rules"], "privacy": PRIVACY, "own_steps": OWN_STEPS}
    written = WRITTEN | (change if part is None else {part: given[part] | change})
    with pytest.raises(RefusedMessageError, match=f"client 'north' refuses.*{message}") as caught:
        read(written)
    assert str(caught.value).encode()  # it can be sent


@given(
    st.sampled_from(["session", "roster", "rules", "privacy", "own_steps"]),
    st.sampled_from([None, *WRITTEN["rules"], *PRIVACY, *OWN_STEPS]),
    anything,
)
def test_whatever_is_proposed_is_read_or_refused(part, member, value):
    written = WRITTEN | {"privacy": PRIVACY, "own_steps": OWN_STEPS}
    inside = written[part]
    written[part] = inside | {member: value} if member and isinstance(inside, dict) else value
    try:
        terms = read(written)
    except RefusedMessageError:
        return
    assert read(terms.to_bytes()) == terms


@given(st.binary(max_size=60) | anything.map(lambda it: json.dumps(it).encode()))
def test_whatever_comes_is_refused(data):
    with pytest.raises(RefusedMessageError):
        read(data)
