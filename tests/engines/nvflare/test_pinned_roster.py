import dataclasses
import json

import pytest

from sklearn_fedphe.engines.nvflare.cards import Card, certificate_name
from sklearn_fedphe.engines.nvflare.pinned_roster import PinnedRoster
from sklearn_fedphe.engines.nvflare.reading import RosterError

HOSPITALS, PARTIES = ("north", "east", "south"), ("north", "east", "south", "trustee")
ANALYST = "analyst@study.org"


@pytest.fixture
def content(party_files):
    return json.loads(party_files.roster.read_text())


@pytest.fixture
def load(tmp_path):
    def load(content):
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "roster.json").write_text(text)
        return PinnedRoster.load(tmp_path / "roster.json")

    return load


def of(cards, hospitals=HOSPITALS, key_holder="trustee", analysts=(ANALYST,), features=("a",)):
    """Make a roster of cards, or of names of them."""

    def card(given):
        return cards[given] if isinstance(given, str) else given

    return PinnedRoster.of_cards(
        features, map(card, hospitals), card(key_holder), map(card, analysts)
    )


def test_a_roster_comes_back_from_its_file(pinned, tmp_path):
    pinned.save(tmp_path / "roster.json")
    again = PinnedRoster.load(tmp_path / "roster.json")
    assert again == pinned
    assert again.digest == pinned.digest
    assert len(pinned.digest) == 32


def test_a_roster_tells_who_takes_part_and_with_what(pinned, loaded_cards):
    assert pinned.features == ("age", "dose")
    assert tuple(pinned.hospitals) == HOSPITALS
    assert pinned.names == (*PARTIES, ANALYST)
    assert pinned.key_length == 2048
    assert pinned.public_key().n == loaded_cards["trustee"].modulus
    for name in pinned.names:
        assert certificate_name(pinned.certificate(name)) == name
    with pytest.raises(KeyError):
        pinned.certificate("west")


def test_how_the_file_is_written_does_not_change_the_digest(pinned, content, load):
    reordered = dict(reversed(content.items()))
    assert load(json.dumps(reordered, indent=7)).digest == pinned.digest


def test_every_part_changes_the_digest(pinned, loaded_cards):
    others = [
        of(loaded_cards, features=("dose", "age")),
        of(loaded_cards, features=("age",)),
        of(loaded_cards, hospitals=("east", "north", "south"), features=pinned.features),
    ]
    north = dataclasses.replace(loaded_cards["north"], identity=bytes(31) + b"\1")
    others.append(of(loaded_cards, hospitals=(north, "east", "south"), features=pinned.features))
    digests = {pinned.digest, *(other.digest for other in others)}
    assert len(digests) == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hospitals": ("north", "east")}, "A roster of 2 hospitals, where at least 3 are needed"),
        ({"analysts": ()}, "without an analyst; add the card of who calls fit"),
        ({"features": ()}, "features are .*, where a list of names belongs"),
        ({"features": ("a", "a")}, "and each must be there once"),
        ({"features": ("a", "")}, "one of features is '', where a text belongs"),
        ({"features": ("a", 1)}, "one of features is 1, where a text belongs"),
        ({"hospitals": ("north", "north", "south")}, "one name, 'north'"),
        ({"hospitals": (*HOSPITALS, "trustee")}, "one name, 'trustee'"),
        ({"hospitals": (*HOSPITALS, ANALYST)}, f"one name, '{ANALYST}'"),
        ({"analysts": (ANALYST, "trustee")}, "one name, 'trustee'"),
        ({"analysts": (ANALYST, "north")}, "one name, 'north'"),
        (
            {"hospitals": ("north", "east", "trustee"), "key_holder": "south"},
            "'trustee' is that of a key holder, where a hospital's belongs",
        ),
    ],
)
def test_a_roster_that_cannot_be_one_is_refused(loaded_cards, changes, message):
    with pytest.raises(RosterError, match=message):
        of(loaded_cards, **changes)


def test_two_hospitals_of_one_identity_are_refused(loaded_cards):
    same = dataclasses.replace(loaded_cards["east"], identity=loaded_cards["north"].identity)
    with pytest.raises(RosterError, match="one identity: there would be fewer than it seems"):
        of(loaded_cards, hospitals=("north", same, "south"))


def test_an_identity_that_is_another_name_for_the_same_kit_is_refused(loaded_cards):
    with pytest.raises(RosterError, match="A card of 'west' has the certificate of 'north'"):
        dataclasses.replace(loaded_cards["north"], name="west")


@pytest.mark.parametrize(
    ("modulus", "message"),
    [
        (3 * 5, "key has 4 bits, where at least 2048 are needed; make a longer one"),
        (2**2048 - 2, "even modulus"),
        (2**2047 + 3 * 2**16 + 1, "A public key .* Ask for a new one"),
    ],
)
def test_a_bad_key_is_refused(loaded_cards, modulus, message):
    bad = dataclasses.replace(loaded_cards["trustee"], modulus=modulus)
    with pytest.raises(RosterError, match=message):
        of(loaded_cards, key_holder=bad)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "is of version 2, and this reads version 1"),
        ({"features": "a,b"}, "features are 'a,b', where a list of names belongs"),
        ({"hospitals": {}}, "The roster's hospitals are dict, not a list of cards"),
        ({"analysts": None}, "The roster's analysts are NoneType, not a list of cards"),
        ({"key_holder": []}, "A card has list, where .* belong"),
        ({"more": 1}, "has .*'more'.*, where .* belong"),
    ],
)
def test_a_file_that_is_no_roster_is_refused(content, load, change, message):
    with pytest.raises(RosterError, match=message):
        load(content | change)


@pytest.mark.parametrize("text", ["", "{", "NaN", "[" * 100_000, "\0"])
def test_a_file_that_is_no_json_is_refused(load, text):
    with pytest.raises(RosterError, match="is not JSON; it was cut off or altered"):
        load(text)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(RosterError, match="cannot be read: No such file or directory"):
        PinnedRoster.load(tmp_path / "roster.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"role": "server"},
            "A card of role 'server', where hospital, key holder, analyst can be",
        ),
        ({"role": "analyst"}, "has not the key of a analyst; make it by keygen"),
        ({"identity": ""}, "has not the key of a hospital"),
        ({"identity": "00"}, "has not the key of a hospital"),
        ({"identity": "zz"}, "The card of 'north' has a broken key"),
        ({"identity": 5}, "The card of 'north' has a broken key"),
        ({"modulus": "zz"}, "The card of 'north' has a broken key"),
        ({"modulus": "f"}, "has not the key of a hospital"),
        ({"modulus": 5}, "a card's modulus is 5, where a text belongs"),
        ({"name": ""}, "a card's name is '', where a text belongs"),
        ({"name": "east"}, "A card of 'east' has the certificate of 'north'"),
        ({"certificate": "none"}, "A certificate is broken, or names nobody"),
        ({"more": 1}, "A card has .*'more'"),
    ],
)
def test_a_card_that_is_none_is_refused(loaded_cards, change, message):
    given = loaded_cards["north"].to_dict() | change
    with pytest.raises(RosterError, match=message):
        Card.from_dict(given)


def test_a_card_comes_back_from_its_file(loaded_cards, tmp_path):
    for card in loaded_cards.values():
        card.save(tmp_path / "card")
        assert Card.load(tmp_path / "card") == card


def test_a_card_says_nothing_of_a_private_key(party_files):
    private = party_files.keys["trustee"].read_text()
    published = party_files.cards["trustee"].read_text() + party_files.roster.read_text()
    primes = [json.loads(private)[name] for name in ("p", "q")]
    assert not any(prime in published for prime in primes)
