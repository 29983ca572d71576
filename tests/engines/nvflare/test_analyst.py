"""Whole fits over machines played in this process, and what the analyst hears of failures."""

import dataclasses
import json
import logging
import re
import struct

import numpy as np
import pytest
from stand_ins import (
    ANALYST,
    EAST,
    HOLDER,
    HOSPITALS,
    JOB,
    KEY_LENGTH,
    NORTH,
    PARTIES,
    PLAN,
    SECRET,
    SOUTH,
    Machines,
    events_of,
    is_ping,
    quicken,
    shards,
    study,
    use,
    wait_until,
    write_rows,
)

from sklearn_fedphe import FederatedLinearRegression, GaussianPrivacy
from sklearn_fedphe.engines.nvflare import admin_session, analyst, key_holder
from sklearn_fedphe.engines.nvflare import terms as terms_module
from sklearn_fedphe.engines.nvflare.analyst import NVFlareFederation
from sklearn_fedphe.engines.nvflare.key_holder import KeyHolderPart
from sklearn_fedphe.engines.nvflare.policy import SitePolicy
from sklearn_fedphe.engines.nvflare.server_calls import FederationError
from sklearn_fedphe.engines.nvflare.sessions import SessionLedger
from sklearn_fedphe.engines.nvflare.topics import READY
from sklearn_fedphe.protocol import Client, observe

DESCENT = {"max_iter": 3, "tol": None}
EXACT = {"solver": "normal_equations"}
PRIVACY = GaussianPrivacy(
    epsilon=5.0, delta=1e-6, bounds_X=([0, 0], [300, 2]), bounds_y=(-50, 100), honest_clients=3
)


@pytest.fixture
def machines(tmp_path, monkeypatch):
    """A way to make machines, one study of them at a time."""
    quicken(monkeypatch)
    made = []

    def make(post=None, **changes):
        made.append(use(monkeypatch, Machines(tmp_path, post, **changes)))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def estimator(given=EXACT):
    return FederatedLinearRegression(key_length=KEY_LENGTH, **given)


def check_fit(machines, given):
    est = estimator(given).fit(machines.federation())
    local = estimator(given).fit(shards())
    np.testing.assert_array_equal(est.coef_, local.coef_)
    assert est.intercept_ == local.intercept_
    assert est.n_rounds_ == local.n_rounds_
    assert machines.status == "FINISHED:COMPLETED"
    assert machines.aborted == []
    assert machines.is_closed
    return est, local


@pytest.mark.parametrize(
    "given",
    [
        DESCENT,
        {"solver": "conjugate_gradient"},
        EXACT,
        {"init": "local", "max_iter": 4, "tol": None},
    ],
)
def test_a_fit_is_that_of_the_shards_to_the_last_bit(machines, given):
    study = machines()
    est, local = check_fit(study, given)
    assert est.clients_.tolist() == local.clients_.tolist() == list(HOSPITALS)
    assert est.feature_names_in_.tolist() == ["age", "dose"]
    assert not hasattr(est, "client_coef_")
    assert all(events_of(site)[-1] == "ended" for site in study.sites.values())


def test_a_private_fit_is_that_of_the_shards_where_the_noise_is_the_same(machines, monkeypatch):
    monkeypatch.setattr(
        "sklearn_fedphe.protocol.answers.discrete_gaussian",
        lambda _, size: np.array(list(range(size)), dtype=object),
    )
    est, local = check_fit(machines(), EXACT | {"privacy": PRIVACY})
    assert est.privacy_spent_ == local.privacy_spent_


def test_a_fit_whose_messages_all_come_twice_is_the_same(machines):
    def twice(letter, deliver):
        if not is_ping(letter):
            deliver(letter)
        return deliver(letter)

    check_fit(machines(twice), DESCENT)


def test_the_server_sees_nothing_but_sealed_bytes(machines):
    study = machines()
    messages = []
    with observe(messages.append):
        estimator(DESCENT).fit(study.federation())
    key = json.loads(study.sites[HOLDER].key_file.read_text())
    public = {one.payload for one in messages}
    needles = [
        *public,
        *(payload[-40:] for payload in public),  # what a query asks, and what came of it
        *(bytes.fromhex(key[prime]) for prime in "pq"),
        *(bytes.fromhex(key[prime])[::-1] for prime in "pq"),
        struct.pack("<d", SECRET),
        repr(SECRET).encode(),
        b"n_parameters",
        b"min_rows",
    ]
    assert len(public) == 2 * len({one.round for one in messages})
    assert study.plaintexts_in(*needles) == []
    assert study.plaintexts_in(b"alive", NORTH.encode())  # there is something to be seen
    topics = {topic for topic, _ in study.network.seen}
    assert topics == {"sealed", "ping"}
    pings = {payload for topic, payload in study.network.seen if topic == "ping"}
    assert pings <= {b"", b"there", b"left", None}


def test_running_sums_are_sealed_between_hospitals(machines, monkeypatch):
    sums = []
    add_to = Client.add_to
    monkeypatch.setattr(Client, "add_to", lambda *given: sums.append(add_to(*given)) or sums[-1])
    study = machines()
    check_fit(study, EXACT)
    needles = [running[:40] for running in sums[:3]] + [running[-256:] for running in sums[:3]]
    assert study.plaintexts_in(*needles) == []


def test_an_observer_is_shown_queries_and_totals(machines):
    seen = []
    with observe(seen.append):
        est = estimator().fit(machines().federation())
    assert est.n_rounds_ == 1
    assert [(one.kind, one.receiver) for one in seen] == [
        (kind, name) for kind in ("query", "total") for name in HOSPITALS
    ]


def error_of(machines, given=EXACT):
    """Of a fit that fails, and leaves nothing behind."""
    with pytest.raises(FederationError) as error:
        estimator(given).fit(machines.federation())
    assert machines.aborted == [JOB]
    assert machines.is_closed
    return str(error.value)


@pytest.mark.parametrize("name", PARTIES)
def test_a_policy_that_refuses_is_told_with_the_site(machines, name):
    policy = SitePolicy(min_rows=5)
    found = error_of(machines(**{name: {"policy": policy}}))
    assert f"'{name}' refuses a fit of min_rows=3: its policy has min_rows=5. Keep to" in found


def test_a_query_off_the_key_holders_policy_is_told(machines):
    found = error_of(machines(**{HOLDER: {"policy": SitePolicy(queries=("SumsQuery",))}}))
    assert found.startswith("the key holder 'trustee' refuses a GramQuery: its policy has")


def test_rows_without_a_column_are_told_with_the_site(machines, tmp_path):
    write_rows(tmp_path / "rows.csv", *shards()[EAST], columns=("age", "weight", "outcome"))
    found = error_of(machines(**{EAST: {"data_file": tmp_path / "rows.csv"}}))
    assert found == "client 'east': its file has no columns ['dose']; run doctor there."


@pytest.mark.parametrize(
    ("name", "label"), [(SOUTH, "client 'south'"), (HOLDER, "the key holder 'trustee'")]
)
def test_a_key_file_that_is_unsafe_is_told_with_the_site(machines, tmp_path, name, label, caplog):
    key = tmp_path / "key"
    key.write_text("anything")
    key.chmod(0o644)
    with caplog.at_level(logging.ERROR):
        found = error_of(machines(**{name: {"key_file": key}}))
    assert (
        found == f"{label} cannot use its key file: it is unsafe, broken or not there; run doctor."
    )
    assert "mode 0644" in caplog.text


def test_another_roster_is_told_with_the_site(machines, tmp_path):
    study = machines()
    other = dataclasses.replace(study.sites[EAST].roster, features=("age", "weight"))
    other.save(tmp_path / "other.json")
    dataclasses.replace(study.sites[EAST], roster_file=tmp_path / "other.json", roster=other).save(
        study.engines[EAST].kit
    )
    assert error_of(study).startswith(f"client 'east' has the roster {other.digest.hex()}, and")


def test_another_version_is_told_with_the_site(machines, monkeypatch):
    to_bytes = terms_module.Terms.to_bytes

    def changed(terms):
        return to_bytes(terms).replace(b'"version": "', b'"version": "9')

    monkeypatch.setattr(analyst.Terms, "to_bytes", changed)
    propose = terms_module.Terms.propose.__func__

    def proposed(cls, plan, roster):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cls, "to_bytes", to_bytes)
            return propose(cls, plan, roster)

    monkeypatch.setattr(analyst.Terms, "propose", classmethod(proposed))
    found = error_of(machines())
    assert found.startswith("client 'north' runs version ")
    assert found.endswith("all parties must run the same.")


def test_a_session_that_was_used_before_is_told_with_the_site(machines, monkeypatch):
    study = machines()
    monkeypatch.setattr(terms_module.os, "urandom", lambda size: b"\7" * size)
    SessionLedger(study.sites[SOUTH].state / "sessions").begin("client 'south'", b"\7" * 16)
    found = error_of(study)
    assert found == (
        f"client 'south' has taken part in session {'07' * 16} before, and masks would be the "
        "same; begin a new fit."
    )


def test_a_site_that_is_not_prepared_is_told(machines):
    study = machines()
    (study.engines[EAST].kit / "local" / "federation.json").unlink()
    assert error_of(study).startswith("From the place of 'east', and unsigned: The site is not pr")


def test_a_value_that_does_not_fit_is_told_without_its_size(machines, tmp_path):
    X, y = shards()[EAST]
    write_rows(tmp_path / "rows.csv", X, y * 1e60)
    study = machines(**{EAST: {"data_file": tmp_path / "rows.csv"}})
    found = error_of(study, DESCENT)
    # Whose it is draws the mean away from all the others' rows, and theirs do not fit either.
    told = (
        "client '(north|east|south)' would send a value that does not fit its slot, and ends its "
        "part; look at its rows for values out of the ordinary, and rescale."
    )
    assert re.fullmatch(told, found)
    assert study.executors[HOLDER]._part.failure == found


def test_an_unexpected_error_is_told_by_its_kind(machines, monkeypatch, caplog):
    def fail(*_):
        raise ZeroDivisionError(str(SECRET))

    monkeypatch.setattr(Client, "add_to", fail)
    with caplog.at_level(logging.ERROR):
        found = error_of(machines())
    assert found == "client 'north' failed with an unexpected ZeroDivisionError; see its own log."


def test_a_key_holder_that_lies_is_an_error_of_the_federation(machines, monkeypatch):
    monkeypatch.setattr(KeyHolderPart, "_found", lambda _: READY + b"short")
    assert error_of(machines()).startswith("The key holder answered 6 bytes that are no result")


def test_a_running_job_that_is_ended_by_others_is_told(machines, monkeypatch):
    study = machines()

    def abort(*_):
        study.signal.trigger("by an administrator")
        wait_until(lambda: study.status.startswith("FINISHED"))
        return b"w"

    monkeypatch.setattr(KeyHolderPart, "_ask", abort)
    assert error_of(study) == "The job ended as FINISHED:ABORTED; see the server's log."


def test_an_interruption_leaves_the_fit_and_aborts_the_job(machines):
    study = machines()
    with pytest.raises(KeyboardInterrupt), study.federation().session(PLAN):
        raise KeyboardInterrupt
    assert study.aborted == [JOB]
    assert study.is_closed


def test_an_error_of_the_solver_is_its_own_and_aborts_the_job(machines):
    study = machines()
    with (
        pytest.raises(ValueError, match="learning_rate=3 diverges"),
        study.federation().session(PLAN),
    ):
        raise ValueError("learning_rate=3 diverges")
    assert study.aborted == [JOB]
    assert study.is_closed


def test_the_analyst_asks_until_rows_are_loaded(machines, monkeypatch):
    from sklearn_fedphe.engines.nvflare import hospital

    read = hospital.read_rows
    monkeypatch.setattr(
        hospital, "read_rows", lambda *given: wait_until(lambda: asked[2:]) or read(*given)
    )
    asked = []
    study = machines(lambda letter, deliver: asked.append(letter) or deliver(letter))
    check_fit(study, EXACT)


def test_a_round_that_takes_long_is_waited_for(machines, monkeypatch):
    monkeypatch.setattr(key_holder, "_PATIENCE", 0.001)
    check_fit(machines(), EXACT)


def test_a_server_that_is_not_there_is_an_error_of_ours(monkeypatch):
    def refuse(*_, **__):
        raise ConnectionRefusedError("nobody")

    monkeypatch.setattr(admin_session, "new_secure_session", refuse)
    folder = study().folder
    federation = NVFlareFederation(
        folder / ANALYST, HOSPITALS, HOLDER, roster=folder / "roster.json"
    )
    with pytest.raises(FederationError, match="could not be asked: ConnectionRefusedError"):
        estimator().fit(federation)


def federation(kit=ANALYST, sites=HOSPITALS, holder=HOLDER, **given):
    folder = study().folder
    return NVFlareFederation(
        folder / kit, sites, holder, **({"roster": folder / "roster.json"} | given)
    )


def test_it_shows_who_takes_part():
    assert repr(federation()) == (
        "NVFlareFederation(sites=['north', 'east', 'south'], key_holder='trustee')"
    )
    members = federation(sites=iter(reversed(HOSPITALS)), timeout=8).members
    assert members.labels == HOSPITALS  # the roster's order
    assert members.n_features == 2
    assert members.feature_names.tolist() == ["age", "dose"]


@pytest.mark.parametrize("sites", [[], [NORTH, EAST], [*HOSPITALS, "west"], [*HOSPITALS, NORTH]])
def test_a_fit_is_of_all_hospitals_on_the_roster(sites):
    with pytest.raises(ValueError, match="a fit is of all of them, since totals over others"):
        federation(sites=sites)


@pytest.mark.parametrize("holder", [NORTH, "nobody"])
def test_the_key_holder_is_the_rosters(holder):
    message = f"key_holder='{holder}', where the roster has 'trustee'; make a new roster for"
    with pytest.raises(ValueError, match=message):
        federation(holder=holder)


@pytest.mark.parametrize("timeout", [7.9, 0, -1, float("nan"), float("inf"), "15", None])
def test_a_timeout_is_seconds_that_a_busy_server_may_take(timeout):
    with pytest.raises(ValueError, match="pass seconds, at least 8; a server that is busy"):
        federation(timeout=timeout)


def test_the_kit_is_that_of_an_analyst_on_the_roster():
    with pytest.raises(ValueError, match="The kit is that of 'north', and the roster's analysts"):
        federation(kit=NORTH)


def test_a_folder_that_is_no_kit_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is no kit"):
        federation(kit=tmp_path)


def test_the_roster_is_looked_for_in_the_kit(tmp_path):
    import shutil

    kit = shutil.copytree(study().folder / ANALYST, tmp_path / "kit")
    with pytest.raises(ValueError, match=r"local/roster\.json cannot be read"):
        NVFlareFederation(kit, HOSPITALS, HOLDER)
    (kit / "local").mkdir()
    shutil.copy(study().folder / "roster.json", kit / "local")
    assert NVFlareFederation(str(kit), HOSPITALS, HOLDER).members.labels == HOSPITALS


def test_the_key_has_the_length_that_is_asked_for():
    message = "key_length=3072, and the key holder's key on the roster has 2048 bits; pass key_len"
    with pytest.raises(ValueError, match=message):
        FederatedLinearRegression().fit(federation())
