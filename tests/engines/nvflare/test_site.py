import dataclasses
import json
import math

import pytest

from sklearn_fedphe.engines.nvflare.policy import SitePolicy
from sklearn_fedphe.engines.nvflare.reading import RosterError
from sklearn_fedphe.engines.nvflare.site import Site, kit_name


@pytest.fixture
def changed(own_kit):
    """Load a site of changed settings."""

    def changed(name, **change):
        kit = own_kit(name)
        path = kit / "local" / "federation.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
        return Site.load(kit)

    return changed


def test_a_hospitals_settings(party_files, pinned):
    site = Site.load(party_files.kits / "north")
    assert (site.name, site.role) == ("north", "hospital")
    assert site.roster == pinned
    assert site.key_file == party_files.keys["north"]
    assert site.data_file == party_files.rows["north"]
    assert site.target == "outcome"
    assert site.policy == SitePolicy()
    assert site.timeout == 15


def test_the_key_holders_settings(party_files):
    site = Site.load(party_files.kits / "trustee")
    assert (site.name, site.role) == ("trustee", "key holder")
    assert site.data_file is None
    assert site.target is None


def test_settings_come_back_from_their_file(own_kit):
    kit = own_kit("north")
    policy = SitePolicy(("analyst@study.org",), ("SumsQuery",), 9, max_epsilon=0.5)
    site = dataclasses.replace(Site.load(kit), policy=policy, timeout=8.0)
    site.save(kit)
    assert Site.load(kit) == site


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"timeout": 7.9}, "A timeout of 7.9 s; use at least 8"),
        ({"timeout": "15"}, "A timeout of '15' s"),
        ({"timeout": True}, "A timeout of True s"),
        ({"timeout": None}, "A timeout of None s"),
        ({"data": None}, "a hospital has a data file and a target"),
        ({"target": None}, "a hospital has a data file and a target"),
        ({"target": 3}, "target is 3, where a text belongs"),
        ({"data": "rows.csv"}, "data is 'rows.csv'; it must be a path from the root"),
        ({"key": ""}, "the settings' key is '', where a text belongs"),
        ({"state": "state"}, "must be a path from the root"),
        ({"roster": "/nowhere"}, "/nowhere cannot be read: No such file"),
        ({"policy": {}}, "A policy has"),
        ({"role": "key holder"}, "The site's settings has .*'role'"),
    ],
)
def test_settings_that_are_none_are_refused(changed, change, message):
    with pytest.raises(RosterError, match=message):
        changed("north", **change)


@pytest.mark.parametrize("timeout", [math.inf, math.nan])
def test_a_timeout_without_end_is_refused(party_files, timeout):
    with pytest.raises(RosterError, match=f"A timeout of {timeout} s"):
        dataclasses.replace(Site.load(party_files.kits / "north"), timeout=timeout)


def test_a_timeout_beyond_numbers_is_refused(own_kit):
    kit = own_kit("north")
    path = kit / "local" / "federation.json"
    path.write_text(path.read_text().replace('"timeout": 15.0', '"timeout": 1e999'))
    with pytest.raises(RosterError, match="A timeout of inf s"):
        Site.load(kit)


def test_the_key_holder_has_no_rows(changed):
    with pytest.raises(RosterError, match="and the key holder has none"):
        changed("trustee", data="/rows.csv", target="outcome")


def test_a_policy_of_strangers_is_refused(changed):
    policy = json.loads(json.dumps(SitePolicy().to_dict())) | {"analysts": ["eve@study.org"]}
    with pytest.raises(RosterError, match=r"analysts \['eve@study.org'\] are not on the roster"):
        changed("north", policy=policy)


def test_who_is_not_on_the_roster_has_no_part(party_files):
    site = Site.load(party_files.kits / "north")
    with pytest.raises(RosterError, match=r"'west' is no hospital.*\('trustee'\)"):
        dataclasses.replace(site, name="west")
    with pytest.raises(RosterError, match="is no hospital on the roster"):
        dataclasses.replace(site, name="analyst@study.org")


def test_a_kit_is_whose_certificate_it_has(provisioned, tmp_path):
    for name in ("north", "trustee", "analyst@study.org"):
        assert kit_name(provisioned / name) == name
    with pytest.raises(RosterError, match=f"{tmp_path} is no kit: .*No such file"):
        kit_name(tmp_path)


def test_a_kit_that_is_not_prepared_says_so(provisioned):
    with pytest.raises(RosterError, match=r"federation\.json cannot be read: No such file"):
        Site.load(provisioned / "north")
