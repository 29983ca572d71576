"""What a person types before a fit: keys, cards, the roster, a site's settings."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ...crypto.key_generation import MIN_KEY_LENGTH
from .cards import Card
from .keys import make_identity, make_paillier_key
from .kit import is_server, prepare
from .pinned_roster import PinnedRoster
from .policy import SitePolicy
from .reading import RosterError
from .site import SETTINGS, Site, kit_name, read_settings


def make_card(
    role: str, kit: Path, key: Path | None, card: Path, key_length: int | None = None
) -> str:
    """Make a party's key, if it has one, and what it publishes of itself.

    Parameters
    ----------
    role : {"hospital", "key-holder", "analyst"}
    kit : Path
        The party's.
    key : Path or None
        Where its private key goes: a hospital's and the key holder's.
    card : Path
        Where the card goes.
    key_length : int or None, default=None
        Bits of the key holder's key. None: 3072.

    Returns
    -------
    str
        What was done.

    Raises
    ------
    RosterError, KeyFileError
    """
    name = kit_name(kit)
    if not card.parent.is_dir():  # or the key would be there already when it is tried again
        raise RosterError(f"{card} cannot be written: its folder is not there; make it.")
    certificate = (kit / "startup" / "client.crt").read_text()
    if role == "analyst":
        if key is not None or key_length is not None:
            raise RosterError("An analyst has no key but its certificate's; leave out --key.")
        Card("analyst", name, certificate).save(card)
        return f"{card}: the card of the analyst {name!r}. It is public."
    if key is None:
        raise RosterError(f"Say where the private key of the {role} is to go: --key FILE.")
    if role == "hospital":
        if key_length is not None:
            raise RosterError("A hospital's identity has one length; leave out --key-length.")
        made = Card("hospital", name, certificate, identity=make_identity(key))
    else:
        length = 3072 if key_length is None else key_length
        if length < MIN_KEY_LENGTH or length % 2:
            raise RosterError(
                f"A key of {length} bits; use an even number from {MIN_KEY_LENGTH} on."
            )
        modulus = make_paillier_key(key, length)
        made = Card("key holder", name, certificate, modulus=modulus)
    made.save(card)
    return f"{key}: the private key of {name!r}, for nobody else.\n{card}: its card. It is public."


def make_roster(
    hospitals: list[Path], key_holder: Path, analysts: list[Path], features: list[str], out: Path
) -> str:
    """Make the roster of cards.

    Parameters
    ----------
    hospitals : list of Path
        Their cards, in the order of the ring.
    key_holder : Path
    analysts : list of Path
    features : list of str
        Names of the columns.
    out : Path
        Where the roster goes.

    Returns
    -------
    str
        Who is on it, and its digest.

    Raises
    ------
    RosterError
    """
    roster = PinnedRoster.of_cards(
        features, map(Card.load, hospitals), Card.load(key_holder), map(Card.load, analysts)
    )
    roster.save(out)
    return f"{out}: {_described(roster)}"


def prepare_site(kit: Path, given: dict[str, Any], limits: dict[str, Any]) -> str:
    """Write a site's settings into its kit.

    Parameters
    ----------
    kit : Path
    given : dict
        Of `Site`: what is None stays as it was.
    limits : dict
        Of `SitePolicy`: likewise.

    Returns
    -------
    str
        What the site is now, and the roster's digest.

    Raises
    ------
    RosterError
    """
    said = {name: value for name, value in given.items() if value is not None}
    limited = {name: value for name, value in limits.items() if value is not None}
    if is_server(kit):
        if said or limited:
            raise RosterError(f"{kit} is the server's kit, which needs no more than --kit.")
        prepare(kit)
        return f"{kit}: the server hands on messages, and runs nothing else."
    before = read_settings(kit) if (kit / "local" / SETTINGS).exists() else {}
    policy = before.pop("policy", SitePolicy())
    said = before | said
    missing = [name for name in ("roster_file", "key_file", "state") if name not in said]
    if missing:
        options = ", ".join("--" + name.removesuffix("_file") for name in missing)
        raise RosterError(f"The site {kit_name(kit)!r} is new here; say its {options}, too.")
    site = Site(
        name=kit_name(kit),
        roster=PinnedRoster.load(said["roster_file"]),
        policy=dataclasses.replace(policy, **limited),
        **said,
    )
    prepare(kit, site)
    return f"{kit}: {site.name!r} is the roster's {site.role}. {_described(site.roster)}"


def _described(roster: PinnedRoster) -> str:
    return (
        f"The ring is {', '.join(roster.hospitals)}; the key holder is "
        f"{roster.key_holder.name}, with a key of {roster.key_length} bits; analysts: "
        f"{', '.join(roster.analysts)}; {len(roster.features)} features.\n"
        f"The roster's digest, to be compared with all others': {roster.digest.hex()}"
    )
