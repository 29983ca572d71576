import dataclasses
import json
import math

import numpy as np
import pytest

from sklearn_fedphe.engines.nvflare.policy import QUERIES, PolicyError, SitePolicy
from sklearn_fedphe.engines.nvflare.reading import RosterError
from sklearn_fedphe.engines.nvflare.terms import Terms
from sklearn_fedphe.own_steps import OwnSteps
from sklearn_fedphe.privacy import GaussianPrivacy
from sklearn_fedphe.protocol.disclosure import DisclosureRules
from sklearn_fedphe.protocol.queries import (
    ErrorsQuery,
    GramQuery,
    PrivateGramQuery,
    Slots,
    SquaresQuery,
    SumsQuery,
)

SETTINGS = {
    "analysts": ("ann", "ben"),
    "queries": ("GramQuery", "SumsQuery"),
    "max_rounds": 7,
    "min_rows": 5,
    "min_rows_per_parameter": 2.5,
    "privacy_required": True,
    "max_epsilon": 1.0,
    "max_delta": 1e-6,
    "max_honest_clients": 1,
}


def terms(epsilon=None, delta=1e-7, own_steps=None, honest_clients=2, **rules):
    privacy = None
    if epsilon is not None:
        bounds = {"bounds_X": (0, 1), "bounds_y": (0, 1)}
        privacy = GaussianPrivacy(
            epsilon=epsilon, delta=delta, honest_clients=honest_clients, **bounds
        )
    return Terms(bytes(16), bytes(32), DisclosureRules(privacy=privacy, **rules), own_steps)


def test_a_policy_comes_back_from_json():
    for policy in (SitePolicy(), SitePolicy(**SETTINGS)):
        written = json.loads(json.dumps(policy.to_dict(), allow_nan=False))
        assert SitePolicy.from_dict(written) == policy


def test_the_query_that_no_fit_asks_is_not_answered_by_default():
    assert set(QUERIES) - set(SitePolicy().queries) == {"ErrorsQuery"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_rounds": 0}, "max_rounds=0; use a number from 1 on"),
        ({"max_rounds": True}, "max_rounds=True; use a number"),
        ({"max_rounds": 1.5}, "max_rounds=1.5; use a number"),
        ({"min_rows": 0}, "min_rows=0; use a number from 1 on"),
        ({"min_rows": "3"}, "min_rows='3'; use a number"),
        ({"min_rows_per_parameter": -1.0}, "min_rows_per_parameter=-1.0; use a number from 0 on"),
        ({"min_rows_per_parameter": math.nan}, "min_rows_per_parameter=nan; use a number"),
        ({"min_rows_per_parameter": None}, "min_rows_per_parameter=None; use a number"),
        ({"max_epsilon": math.nan}, "max_epsilon=nan; use a number from 0 on"),
        ({"max_epsilon": math.inf}, "max_epsilon=inf; use a number from 0 on"),
        ({"max_epsilon": "1"}, "max_epsilon='1'; use a number from 0 on"),
        ({"max_delta": None}, "max_delta=None; use a number from 0 on"),
        ({"max_honest_clients": 0}, "max_honest_clients=0; use a number from 1 on"),
        ({"max_delta": False}, "max_delta=False; use a number from 0 on"),
        ({"privacy_required": 1}, "privacy_required=1; use true or false"),
        ({"privacy_required": None}, "privacy_required=None; use true or false"),
        ({"queries": ["RowsQuery"]}, r"queries \['RowsQuery'\], where one or more of SumsQuery"),
        ({"queries": []}, "a policy's queries are .*, where a list of names belongs"),
        ({"queries": "GramQuery"}, "where a list of names belongs"),
        ({"analysts": "ann"}, "a policy's analysts are 'ann', where a list of names belongs"),
        ({"analysts": ["ann", "ann"]}, "each must be there once"),
        ({"analysts": [3]}, "one of a policy's analysts is 3, where a text belongs"),
        ({"max_row": 1}, "A policy has .*'max_row'"),
    ],
)
def test_what_is_no_policy_is_refused(change, message):
    with pytest.raises(RosterError, match=message):
        SitePolicy.from_dict(json.loads(json.dumps(SitePolicy().to_dict())) | change)


def test_no_queries_at_all_are_refused():
    with pytest.raises(RosterError, match="one or more of"):
        SitePolicy(queries=())


@pytest.mark.parametrize(
    ("policy", "asked", "message"),
    [
        ({"analysts": ("ben",)}, {}, r"a fit by 'ann': its policy has analysts=\('ben',\)"),
        ({"privacy_required": True}, {}, "a fit without privacy: its policy has privacy_required"),
        ({}, {"min_rows": 2}, "a fit of min_rows=2: its policy has min_rows=3"),
        (
            {"min_rows_per_parameter": 2.0},
            {"min_rows": 3, "min_rows_per_parameter": 1.5},
            "a fit of min_rows_per_parameter=1.5: its policy has min_rows_per_parameter=2.0",
        ),
        (
            {"max_rounds": 7},
            {"min_rows": 3, "own_steps": OwnSteps("auto", 8, True, True)},
            "8 steps alone: its policy has max_rounds=7",
        ),
        (
            {"max_epsilon": 1.0},
            {"epsilon": 1.5},
            "a fit of epsilon=1.5: its policy has max_epsilon=1.0",
        ),
        (
            {},
            {"epsilon": 1.0, "honest_clients": 3},
            "a fit of honest_clients=3: its policy has max_honest_clients=2",
        ),
        ({}, {"epsilon": 1.01}, "a fit of epsilon=1.01: its policy has max_epsilon=1.0"),
        (
            {"max_delta": 1e-8},
            {"epsilon": 1.0},
            "a fit of delta=1e-07: its policy has max_delta=1e-08",
        ),
    ],
)
def test_terms_that_a_site_does_not_keep_to_are_refused(policy, asked, message):
    with pytest.raises(PolicyError, match=f"^client 'north' refuses {message}") as caught:
        SitePolicy(**policy).check_terms("client 'north'", terms(**asked), "ann")
    assert str(caught.value).endswith("Keep to that, or ask the site.")


@pytest.mark.parametrize(
    ("policy", "asked"),
    [
        ({}, {"min_rows": 3}),
        ({"analysts": ("ben", "ann")}, {"min_rows": 4}),
        ({"max_rounds": 7}, {"min_rows": 3, "own_steps": OwnSteps("auto", 7, True, True)}),
        ({"min_rows_per_parameter": 2.0}, {"min_rows": 3, "min_rows_per_parameter": 2.0}),
        ({"privacy_required": True, "max_epsilon": 1.0}, {"epsilon": 1.0}),
        ({"max_delta": 1e-7, "max_epsilon": 5.0}, {"epsilon": 5.0}),
        ({}, {"epsilon": 1.0, "delta": 1e-5, "honest_clients": 2}),
        ({"max_honest_clients": 3}, {"epsilon": 1.0, "honest_clients": 3}),
        ({"max_epsilon": 1.0, "max_delta": 1e-9}, {"min_rows": 3}),
    ],
)
def test_terms_within_the_limits_are_taken(policy, asked):
    SitePolicy(**policy).check_terms("client 'north'", terms(**asked), "ann")


def test_queries_that_a_site_does_not_answer_are_refused():
    policy = SitePolicy(queries=("SumsQuery", "GramQuery"), max_rounds=2)
    policy.check_query("client 'north'", SumsQuery(), 1)
    policy.check_query("client 'north'", GramQuery(Slots.EXACT), 2)
    message = "^client 'north' refuses a SquaresQuery: its policy has queries="
    with pytest.raises(PolicyError, match=message):
        policy.check_query("client 'north'", SquaresQuery(np.zeros(2), 0.0), 1)
    with pytest.raises(PolicyError, match="refuses round 3: its policy has max_rounds=2"):
        policy.check_query("client 'north'", SumsQuery(), 3)


def test_errors_are_told_where_the_site_says_so():
    query = ErrorsQuery(0.0)
    with pytest.raises(PolicyError, match="refuses a ErrorsQuery"):
        SitePolicy().check_query("client 'north'", query, 1)
    SitePolicy(queries=QUERIES).check_query("client 'north'", query, 1)
    SitePolicy().check_query("client 'north'", PrivateGramQuery(), 1000)


def test_a_policy_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SitePolicy().min_rows = 1
