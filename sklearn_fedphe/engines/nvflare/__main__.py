"""``python -m sklearn_fedphe.engines.nvflare``: prepares machines for a federation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .commands import make_card, make_roster, prepare_site
from .doctor import diagnose
from .policy import QUERIES
from .site import MIN_TIMEOUT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, default=None
        None: those of the command line.

    Returns
    -------
    int
        0, or 1 where something is wrong.
    """
    options = vars(_parser().parse_args(arguments))
    run = options.pop("run")
    try:
        return int(run(**options))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sklearn_fedphe.engines.nvflare", description=__doc__
    )
    commands = parser.add_subparsers(required=True)
    keygen = commands.add_parser("keygen", help="make a party's key, and its card for the roster")
    keygen.add_argument("role", choices=("hospital", "key-holder", "analyst"))
    keygen.add_argument("--kit", type=_path, required=True, help="the party's kit")
    keygen.add_argument("--key", type=_path, help="where the private key goes")
    keygen.add_argument("--card", type=_path, required=True, help="where the card goes")
    keygen.add_argument("--key-length", type=int, help="bits of the key holder's key (3072)")
    keygen.set_defaults(run=_keygen)

    roster = commands.add_parser("roster", help="make the one file that all parties pin")
    several: dict[str, Any] = {"type": _path, "action": "append", "required": True}
    roster.add_argument("--hospital", **several, help="a card; in the order of the ring")
    roster.add_argument("--key-holder", type=_path, required=True, help="its card")
    roster.add_argument("--analyst", **several, help="a card")
    roster.add_argument("--features", type=_names, required=True, help="columns: age,sex,...")
    roster.add_argument("--out", type=_path, required=True, help="where the roster goes")
    roster.set_defaults(run=_roster)

    _add_site(commands.add_parser("site", help="prepare a kit: hospital, key holder or server"))

    doctor = commands.add_parser("doctor", help="say what is missing or unsafe in a kit")
    doctor.add_argument("--kit", type=_path, required=True)
    doctor.set_defaults(run=_doctor)
    return parser


def _add_site(site: argparse.ArgumentParser) -> None:
    site.add_argument("--kit", type=_path, required=True)
    site.add_argument("--roster", dest="roster_file", type=_path)
    site.add_argument("--key", dest="key_file", type=_path, help="the site's private key")
    site.add_argument("--state", type=_path, help="folder of the audit log and the sessions")
    site.add_argument("--data", dest="data_file", type=_path, help="rows: .csv or .parquet")
    site.add_argument("--target", help="name of the target's column in the rows")
    site.add_argument("--timeout", type=float, help=f"seconds, at least {MIN_TIMEOUT:g} (15)")
    policy = site.add_argument_group("policy", "what the site answers; kept until given anew")
    policy.add_argument("--analyst", dest="analysts", action="append", help="whose fits")
    policy.add_argument("--query", dest="queries", action="append", choices=QUERIES)
    policy.add_argument("--max-rounds", type=int, help="of a fit (1000)")
    policy.add_argument("--min-rows", type=int, help="fewest that a fit may ask of a hospital (3)")
    policy.add_argument("--min-rows-per-parameter", type=float, help="the same a parameter (0)")
    policy.add_argument(
        "--require-privacy",
        dest="privacy_required",
        action=argparse.BooleanOptionalAction,
        help="fits with differential privacy only",
    )
    policy.add_argument("--max-epsilon", type=float, help="the most that one of these may cost")
    policy.add_argument("--max-delta", type=float)
    policy.add_argument("--max-honest-clients", type=int, help="relied on for the noise (2)")
    site.set_defaults(run=_site)


def _path(text: str) -> Path:
    return Path(text).resolve()


def _names(text: str) -> list[str]:
    return text.split(",")


def _keygen(role: str, kit: Path, key: Path, card: Path, key_length: int | None) -> int:
    print(make_card(role, kit, key, card, key_length))
    return 0


def _roster(
    hospital: list[Path], key_holder: Path, analyst: list[Path], features: list[str], out: Path
) -> int:
    print(make_roster(hospital, key_holder, analyst, features, out))
    return 0


def _site(kit: Path, **options: Any) -> int:
    of_site = ("roster_file", "key_file", "state", "data_file", "target", "timeout")
    given = {name: options.pop(name) for name in of_site}
    for name in ("analysts", "queries"):
        options[name] = options[name] and tuple(options[name])
    print(prepare_site(kit, given, options))
    return 0


def _doctor(kit: Path) -> int:
    findings = diagnose(kit)
    for finding in findings:
        print(f"- {finding}")
    print(f"{kit}: {len(findings) or 'no'} findings.")
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main())
