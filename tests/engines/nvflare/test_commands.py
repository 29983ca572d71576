import json
import shutil
import subprocess
import sys

import pytest

from sklearn_fedphe.engines.nvflare.__main__ import main
from sklearn_fedphe.engines.nvflare.cards import Card
from sklearn_fedphe.engines.nvflare.keys import load_identity, load_paillier_key
from sklearn_fedphe.engines.nvflare.pinned_roster import PinnedRoster
from sklearn_fedphe.engines.nvflare.policy import SitePolicy
from sklearn_fedphe.engines.nvflare.site import Site

ANALYST = "analyst@study.org"


@pytest.fixture
def run(capsys):
    """Run a command in this process: its status, and what it printed."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert bool(status) == bool(printed.err) or arguments[0] == "doctor"
        return status, printed.out + printed.err

    return run


@pytest.fixture
def fresh(provisioned, tmp_path):
    """A copy of a kit as it was provisioned."""
    return lambda name: shutil.copytree(provisioned / name, tmp_path / name, symlinks=True)


@pytest.fixture
def options(party_files, tmp_path):
    """What a new site has to say."""

    def options(name):
        given = ["--roster", party_files.roster, "--key", party_files.keys[name]]
        given += ["--state", tmp_path / "state"]
        if name in party_files.rows:
            given += ["--data", party_files.rows[name], "--target", "outcome"]
        return given

    return options


def test_a_hospital_makes_its_identity_and_card(run, provisioned, tmp_path):
    key, card = tmp_path / "key", tmp_path / "card"
    status, text = run(
        "keygen", "hospital", "--kit", provisioned / "north", "--key", key, "--card", card
    )
    assert status == 0
    assert f"{key}: the private key of 'north', for nobody else." in text
    assert f"{card}: its card. It is public." in text
    assert Card.load(card).role == "hospital"
    assert Card.load(card).identity == load_identity(key).identity
    pem = (provisioned / "north" / "startup" / "client.crt").read_text()
    assert Card.load(card).certificate == pem


@pytest.mark.parametrize(("option", "bits"), [([], 3072), (["--key-length", 2048], 2048)])
def test_the_key_holder_makes_its_key_and_card(run, provisioned, tmp_path, option, bits):
    key, card = tmp_path / "key", tmp_path / "card"
    kit = provisioned / "trustee"
    status, _ = run("keygen", "key-holder", "--kit", kit, "--key", key, "--card", card, *option)
    assert status == 0
    assert Card.load(card).role == "key holder"
    assert Card.load(card).modulus == load_paillier_key(key).public_key.n
    assert Card.load(card).modulus.bit_length() == bits


def test_an_analyst_makes_its_card(run, provisioned, tmp_path):
    card = tmp_path / "card"
    status, text = run("keygen", "analyst", "--kit", provisioned / ANALYST, "--card", card)
    assert status == 0
    assert text == f"{card}: the card of the analyst '{ANALYST}'. It is public.\n"
    assert (Card.load(card).role, Card.load(card).name) == ("analyst", ANALYST)


@pytest.mark.parametrize(
    ("role", "given", "message"),
    [
        ("hospital", [], "where the private key of the hospital is to go: --key FILE"),
        ("key-holder", [], "where the private key of the key-holder is to go: --key FILE"),
        ("hospital", ["--key", "k", "--key-length", 2048], "one length; leave out --key-length"),
        ("key-holder", ["--key", "k", "--key-length", 1024], "A key of 1024 bits; use an even"),
        ("key-holder", ["--key", "k", "--key-length", 0], "A key of 0 bits; use an even number"),
        ("key-holder", ["--key", "k", "--key-length", 2049], "A key of 2049 bits; use an even"),
        ("analyst", ["--key", "k"], "no key but its certificate's; leave out --key"),
        ("analyst", ["--key-length", 2048], "no key but its certificate's; leave out --key"),
    ],
)
def test_keygen_says_what_is_amiss(run, provisioned, tmp_path, monkeypatch, role, given, message):
    monkeypatch.chdir(tmp_path)
    kit = provisioned / ("trustee" if role == "key-holder" else "north")
    status, text = run("keygen", role, "--kit", kit, "--card", "card", *given)
    assert status == 1
    assert text.startswith("error: ")
    assert message in text
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_kit_is_an_error(run, tmp_path):
    status, text = run("keygen", "analyst", "--kit", tmp_path, "--card", tmp_path / "card")
    assert status == 1
    assert f"{tmp_path} is no kit" in text


def test_a_file_that_cannot_be_written_is_an_error(run, provisioned, tmp_path):
    card = tmp_path / "a folder"
    card.mkdir()
    status, text = run("keygen", "analyst", "--kit", provisioned / ANALYST, "--card", card)
    assert status == 1
    assert "Is a directory" in text


def test_no_key_is_made_where_its_card_cannot_be_written(run, provisioned, tmp_path):
    card, key = tmp_path / "nowhere" / "card", tmp_path / "key"
    of_north = ("--kit", provisioned / "north", "--key", key, "--card", card)
    status, text = run("keygen", "hospital", *of_north)
    assert status == 1
    assert f"{card} cannot be written: its folder is not there; make it." in text
    assert not key.exists()


def cards_of(party_files, *hospitals):
    given = [part for name in hospitals for part in ("--hospital", party_files.cards[name])]
    given += ["--key-holder", party_files.cards["trustee"]]
    return [*given, "--analyst", party_files.cards[ANALYST]]


def test_the_roster_is_made_of_cards_in_the_order_of_the_ring(run, party_files, tmp_path):
    out = tmp_path / "roster.json"
    cards = cards_of(party_files, "south", "north", "east")
    status, text = run("roster", *cards, "--features", "dose,age", "--out", out)
    roster = PinnedRoster.load(out)
    assert status == 0
    assert list(roster.hospitals) == ["south", "north", "east"]
    assert roster.features == ("dose", "age")
    assert "The ring is south, north, east; the key holder is trustee, with a key of 2048" in text
    assert f"analysts: {ANALYST}; 2 features" in text
    assert f"digest, to be compared with all others': {roster.digest.hex()}" in text


def test_a_roster_of_too_few_is_not_made(run, party_files, tmp_path):
    out = tmp_path / "roster.json"
    cards = cards_of(party_files, "south", "north")
    status, text = run("roster", *cards, "--features", "dose,age", "--out", out)
    assert status == 1
    assert "A roster of 2 hospitals, where at least 3 are needed" in text
    assert not out.exists()


@pytest.mark.parametrize(("name", "role"), [("north", "hospital"), ("trustee", "key holder")])
def test_a_site_is_prepared(run, fresh, options, party_files, pinned, tmp_path, name, role):
    kit = fresh(name)
    status, text = run("site", "--kit", kit, *options(name))
    site = Site.load(kit)
    assert status == 0
    assert f"{kit}: '{name}' is the roster's {role}." in text
    assert pinned.digest.hex() in text
    assert (site.key_file, site.state) == (party_files.keys[name], tmp_path / "state")
    assert site.policy == SitePolicy()
    assert run("doctor", "--kit", kit) == (0, f"{kit}: no findings.\n")


def test_a_list_of_sessions_that_is_lost_is_not_begun_anew(run, fresh, options, tmp_path):
    kit = fresh("north")
    run("site", "--kit", kit, *options("north"))
    state = tmp_path / "state"
    assert (state / "sessions").read_text() == ""
    (state / "audit.jsonl").touch()
    (state / "refusals").touch()
    (state / "sessions").unlink()
    assert run("site", "--kit", kit)[0] == 0
    assert not (state / "sessions").exists()
    assert not (state / "refusals").exists()  # its owner has looked
    assert run("doctor", "--kit", kit)[0] == 1


def test_a_policy_is_kept_until_it_is_given_anew(run, fresh, options, tmp_path):
    kit = fresh("north")
    first = ["--analyst", ANALYST, "--query", "SumsQuery", "--query", "GramQuery"]
    first += ["--max-rounds", 9, "--min-rows", 20, "--min-rows-per-parameter", 1.5]
    first += ["--require-privacy", "--max-epsilon", 0.5, "--max-delta", 1e-6, "--timeout", 20]
    run("site", "--kit", kit, *options("north"), *first)
    before = Site.load(kit)
    assert before.policy == SitePolicy(
        (ANALYST,), ("SumsQuery", "GramQuery"), 9, 20, 1.5, True, 0.5, 1e-6
    )
    assert before.timeout == 20

    assert run("site", "--kit", kit)[0] == 0
    assert Site.load(kit) == before

    rows = tmp_path / "other.csv"
    run("site", "--kit", kit, "--no-require-privacy", "--min-rows", 30, "--data", rows)
    after = Site.load(kit)
    assert (after.policy.privacy_required, after.policy.min_rows) == (False, 30)
    assert after.policy.queries == before.policy.queries
    assert (after.data_file, after.target) == (rows, "outcome")


@pytest.mark.parametrize(
    ("left_out", "message"),
    [
        (["--roster", "--key", "--state"], "is new here; say its --roster, --key, --state, too"),
        (["--state"], "is new here; say its --state, too"),
        (["--target"], "a hospital has a data file and a target"),
    ],
)
def test_a_new_site_says_all(run, fresh, options, left_out, message):
    kit, given = fresh("north"), options("north")
    pairs = [given[i : i + 2] for i in range(0, len(given), 2) if given[i] not in left_out]
    status, text = run("site", "--kit", kit, *[part for pair in pairs for part in pair])
    assert status == 1
    assert message in text
    assert not (kit / "local" / "federation.json").exists()
    assert not (kit / "local" / "resources.json").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--min-rows", 0], "min_rows=0; use a number from 1 on"),
        (["--max-epsilon", "nan"], "max_epsilon=nan; use a number from 0 on"),
        (["--analyst", "eve@study.org"], "analysts ['eve@study.org'] are not on the roster"),
        (["--timeout", 1], "A timeout of 1.0 s; use at least 8"),
    ],
)
def test_a_site_that_cannot_be_leaves_the_kit_as_it_was(own_kit, run, given, message):
    kit = own_kit("north")
    before = (kit / "local" / "federation.json").read_bytes()
    status, text = run("site", "--kit", kit, *given)
    assert status == 1
    assert message in text
    assert (kit / "local" / "federation.json").read_bytes() == before


def test_the_server_is_prepared(run, fresh):
    kit = fresh("localhost")
    status, text = run("site", "--kit", kit)
    assert status == 0
    assert text == f"{kit}: the server hands on messages, and runs nothing else.\n"
    assert run("doctor", "--kit", kit)[0] == 0


@pytest.mark.parametrize("given", [["--target", "y"], ["--min-rows", 3], ["--state", "s"]])
def test_the_server_has_no_settings(run, fresh, given):
    status, text = run("site", "--kit", fresh("localhost"), *given)
    assert status == 1
    assert "is the server's kit, which needs no more than --kit" in text


def test_doctor_tells_each_finding(run, own_kit):
    kit = own_kit("north")
    (kit / "local" / "authorization.json").write_text("{}")
    (kit / "startup" / "client.key").chmod(0o644)
    status, text = run("doctor", "--kit", kit)
    assert status == 1
    lines = text.splitlines()
    assert [line[:2] for line in lines[:-1]] == ["- ", "- "]
    assert lines[-1] == f"{kit}: 2 findings."


def test_an_option_that_is_none_ends_with_the_usage(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["site", "--kit", "kit", "--query", "RowsQuery"])
    assert caught.value.code == 2
    assert "invalid choice: 'RowsQuery'" in capsys.readouterr().err


def test_the_commands_run_from_a_shell(party_files):
    kit = party_files.kits / "east"
    command = [sys.executable, "-m", "sklearn_fedphe.engines.nvflare", "doctor", "--kit", kit]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.returncode, done.stdout) == (0, f"{kit}: no findings.\n")


def test_a_private_key_is_printed_nowhere(run, provisioned, tmp_path):
    key, card = tmp_path / "key", tmp_path / "card"
    given = ["--kit", provisioned / "trustee", "--key", key, "--card", card]
    _, text = run("keygen", "key-holder", *given, "--key-length", 2048)
    primes = json.loads(key.read_text())
    assert not any(primes[name] in text for name in ("p", "q"))


def test_a_roster_is_replaced_after_the_earlier_one_is_gone(
    run, fresh, options, party_files, tmp_path
):
    kit, old, new = fresh("north"), tmp_path / "old.json", tmp_path / "new.json"
    shutil.copy(party_files.roster, old)
    run("site", "--kit", kit, *options("north"), "--roster", old, "--max-rounds", 9)
    old.unlink()
    status, text = run("site", "--kit", kit)
    assert status == 1
    assert f"{old} cannot be read" in text
    shutil.copy(party_files.roster, new)
    assert run("site", "--kit", kit, "--roster", new)[0] == 0
    assert Site.load(kit).roster_file == new
    assert Site.load(kit).policy.max_rounds == 9


def test_settings_that_are_broken_are_an_error(run, own_kit):
    kit = own_kit("north")
    (kit / "local" / "federation.json").write_text("{")
    status, text = run("site", "--kit", kit, "--max-rounds", 9)
    assert status == 1
    assert "federation.json is not JSON; it was cut off or altered" in text
