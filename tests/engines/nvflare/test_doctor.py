import json
import shutil
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sklearn_fedphe.engines.nvflare import doctor
from sklearn_fedphe.engines.nvflare.doctor import diagnose
from sklearn_fedphe.engines.nvflare.keys import make_identity, make_paillier_key
from sklearn_fedphe.engines.nvflare.kit import COMPONENTS


def change(path, **members):
    path.write_text(json.dumps(json.loads(path.read_text()) | members))


def settings(kit, **members):
    change(kit / "local" / "federation.json", **members)


@pytest.mark.parametrize("name", ["north", "east", "south", "trustee", "localhost"])
def test_a_kit_that_is_prepared_has_no_findings(own_kit, name):
    assert diagnose(own_kit(name)) == []


@pytest.mark.parametrize("name", ["north", "trustee"])
def test_a_kit_as_it_was_provisioned_has_many(provisioned, name):
    found = "\n".join(diagnose(provisioned / name))
    for text in (
        "resources.json allows other classes than ['sklearn_fedphe.engines.nvflare.executor",
        "resources.json does not enforce its list",
        "deployer.RingDeployer for its app_deployer, and no other; run site again",
        "launcher.RingLauncher for its process_launcher, and no other; run site again",
        "resources.json lets the site's log leave it",
        "authorization.json is not as site writes it",
        "comm_config.json is not as site writes it",
        "resources.json is no link to local/resources.json: a job's file could be read for it",
        "fed_client.json is no link to startup/fed_client.json",
        "federation.json cannot be read: No such file or directory",
    ):
        assert text in found


def kit_of_another_authority(folder):
    """Write a certificate for "north" that somebody else signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "north")])
    begins = datetime(2020, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(
        name, name, key.public_key(), 1, begins, begins.replace(year=2900)
    ).sign(key, SHA256())
    (folder / "other.crt").write_bytes(made.public_bytes(Encoding.PEM))
    return folder / "other.crt"


def resources(**members):
    return lambda kit: change(kit / "local" / "resources.json", **members)


def write(name, text=""):
    def write(kit):
        path = kit / name
        path.parent.mkdir(exist_ok=True)
        if path.is_symlink():
            path.unlink()
        path.write_text(text)

    return write


def connected(kit):
    change(kit / "startup" / "fed_client.json", client={"connection_security": "tls"})


def deployer_of_another_id(kit):
    path = kit / "local" / "resources.json"
    path.write_text(path.read_text().replace('"app_deployer"', '"my_deployer"'))


def launcher_of_nvflare(kit):
    path = kit / "local" / "resources.json"
    theirs = "nvflare.app_common.job_launcher.client_process_launcher.ClientProcessJobLauncher"
    path.write_text(path.read_text().replace(COMPONENTS["process_launcher"], theirs))


@pytest.mark.parametrize(
    ("spoil", "finding"),
    [
        (resources(class_allow_list=["*"]), "allows other classes than"),
        (resources(class_list_enforcement_mode="warn"), "does not enforce its list of classes"),
        (resources(allow_log_streaming=True), "lets the site's log leave it"),
        (resources(components=[]), "RingDeployer for its app_deployer, and no other"),
        (deployer_of_another_id, "RingDeployer for its app_deployer, and no other"),
        (launcher_of_nvflare, "RingLauncher for its process_launcher, and no other"),
        (write("local/resources.json", "[]"), "allows other classes than"),
        (write("local/authorization.json", "{}"), "authorization.json is not as site writes it"),
        (write("local/comm_config.json", "{}"), "comm_config.json is not as site writes it"),
        (write("resources.json", "{}"), "is no link to local/resources.json"),
        (write("local/x__resources.json", "{}"), "local/x__resources.json adds to what"),
        (write("local/x__p_resources.json", "{}"), "local/x__p_resources.json adds to what"),
        (write("startup/x__j_resources.json", "{}"), "startup/x__j_resources.json adds to what"),
        (write("local/job_resources.json", "{}"), "local/job_resources.json adds to what"),
        (write("local/custom/code.py"), "local/custom has code that every job could import"),
        (connected, "does not ask for mutual TLS; get a new kit"),
        (lambda kit: (kit / "startup" / "client.key").chmod(0o640), "client.key has mode 0640"),
        (write("startup/client.crt"), "Unable to load PEM"),
        (lambda kit: (kit / "comm_config.json").unlink(), "is no link to local/comm_config.json"),
        (lambda kit: settings(kit, timeout=1), "A timeout of 1 s; use at least 8"),
    ],
)
def test_what_is_unsafe_is_found(own_kit, spoil, finding):
    kit = own_kit("north")
    spoil(kit)
    assert any(finding in found for found in diagnose(kit)), diagnose(kit)


def test_a_server_without_mutual_tls_is_found(own_kit):
    kit = own_kit("localhost")
    path = kit / "startup" / "fed_server.json"
    servers = json.loads(path.read_text())["servers"]
    change(path, servers=[server | {"connection_security": "clear"} for server in servers])
    (found,) = diagnose(kit)
    assert "fed_server.json does not ask for mutual TLS" in found


def test_a_certificate_that_has_expired_is_found(own_kit, monkeypatch):
    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2999, 1, 1, tzinfo=tz or UTC)

    monkeypatch.setattr(doctor, "datetime", Later)
    (found,) = diagnose(own_kit("north"))
    assert found.endswith("client.crt has expired; get a new kit.")


def test_another_version_of_nvidia_flare_is_found(own_kit, monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda _: "2.7.1")
    (found,) = diagnose(own_kit("north"))
    assert found.startswith("NVIDIA FLARE 2.7.1 is installed, and this was tested with 2.9")


def test_another_kit_of_the_same_name_is_found(own_kit, party_files):
    kit = own_kit("north")
    other = party_files.kits / "east" / "startup"
    certificate = (kit / "startup" / "client.crt").read_bytes()
    key = (kit / "startup" / "client.key").read_bytes()
    for name in ("client.crt", "client.key"):
        shutil.copy(other / name, kit / "startup" / name)
    assert any("identity" in found for found in diagnose(kit))  # it is now that of "east"
    (kit / "startup" / "client.key").write_bytes(key)
    assert any("is not that of the certificate" in found for found in diagnose(kit))
    (kit / "startup" / "client.crt").write_bytes(certificate)
    assert diagnose(kit) == []


def test_a_certificate_that_is_not_the_one_on_the_roster_is_found(own_kit, tmp_path, pinned):
    kit, path = own_kit("north"), kit_of_another_authority(tmp_path)
    shutil.copy(path, kit / "startup" / "client.crt")
    (found,) = diagnose(kit)
    assert "The certificate of 'north' in" in found
    assert "is not the one on the roster" in found
    assert path.read_bytes() != pinned.certificate("north")


def test_a_roster_that_is_gone_is_found(own_kit, tmp_path):
    kit = own_kit("north")
    settings(kit, roster=str(tmp_path / "none.json"))
    (found,) = diagnose(kit)
    assert "none.json cannot be read: No such file" in found


@pytest.mark.parametrize("name", ["north", "trustee"])
def test_a_key_that_others_can_read_is_found(own_kit, tmp_path, party_files, name):
    kit, key = own_kit(name), tmp_path / "key"
    shutil.copy(party_files.keys[name], key)
    settings(kit, key=str(key))
    assert diagnose(kit) == []
    key.chmod(0o644)
    (found,) = diagnose(kit)
    assert f"The key file {key} has mode 0644" in found


def test_another_identity_than_on_the_roster_is_found(own_kit, tmp_path):
    kit = own_kit("north")
    make_identity(tmp_path / "key")
    settings(kit, key=str(tmp_path / "key"))
    assert diagnose(kit) == [
        f"{tmp_path / 'key'} is not the identity on the roster; make a new card and roster."
    ]


def test_another_key_than_on_the_roster_is_found(own_kit, tmp_path):
    kit = own_kit("trustee")
    make_paillier_key(tmp_path / "key", 512)
    settings(kit, key=str(tmp_path / "key"))
    assert diagnose(kit) == [
        f"{tmp_path / 'key'} is not the key on the roster; make a new card and roster."
    ]


def test_what_is_kept_in_the_kit_is_found(own_kit, party_files):
    kit = own_kit("north")
    for name, source in (
        ("key", party_files.keys["north"]),
        ("rows.csv", party_files.rows["north"]),
    ):
        shutil.copy(source, kit / name)
    (kit / "state").mkdir()
    (kit / "state" / "sessions").touch()
    settings(kit, key=str(kit / "key"), data=str(kit / "rows.csv"), state=str(kit / "state"))
    assert diagnose(kit) == [
        f"{kit / name} is in the kit, where NVIDIA FLARE writes and deletes; move it out."
        for name in ("key", "state", "rows.csv")
    ]


def test_a_folder_that_is_gone_is_found(own_kit, tmp_path):
    kit = own_kit("north")
    shutil.rmtree(tmp_path / "north.state")
    (found,) = diagnose(kit)
    assert "the folder of the audit log, is not there; run site again" in found


def test_a_list_of_sessions_that_is_gone_is_found(own_kit, tmp_path):
    kit = own_kit("north")
    (tmp_path / "north.state" / "sessions").unlink()
    (found,) = diagnose(kit)
    assert "the sessions that the site took part in, is not there: masks could be" in found


def test_fits_that_told_of_the_rows_are_found(own_kit, tmp_path):
    kit = own_kit("north")
    (tmp_path / "north.state" / "refusals").write_text("1\n2\n3\n")
    (found,) = diagnose(kit)
    assert found.startswith("the site has ended 3 fits for what is in its rows")


@pytest.fixture
def with_rows(own_kit, tmp_path):
    def with_rows(text):
        kit, path = own_kit("north"), tmp_path / "rows.csv"
        if text is not None:
            path.write_text(text)
            path.chmod(0o600)
        settings(kit, data=str(path))
        return kit, path

    return with_rows


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (None, "the rows, is not there; run site again with --data"),
        ("age,outcome\n1,2\n", "no columns ['dose']"),
        (
            "age,dose,outcome,surname,born\n1,2,3,4,5\n",
            "has the columns ['surname', 'born'], which",
        ),
        ("age,dose,outcome\n1,,3\n", "column 'dose' has values that are missing"),
        ("age,dose,outcome\n", "has no rows"),
        ("", "its file cannot be read"),
    ],
)
def test_rows_that_do_not_fit_are_found_and_their_columns_named(with_rows, text, finding):
    kit, path = with_rows(text)
    (found,) = diagnose(kit)
    assert finding in found
    assert str(path) in found


def test_rows_that_others_can_read_are_found(with_rows):
    kit, path = with_rows("age,dose,outcome\n1,2,3\n")
    assert diagnose(kit) == []
    path.chmod(0o644)
    (found,) = diagnose(kit)
    assert (
        f"{path} has mode 0644, and others than its owner can access it; run: chmod 600" in found
    )


def test_one_finding_does_not_hide_the_others(own_kit):
    kit = own_kit("north")
    (kit / "startup" / "fed_client.json").write_text("{")
    (kit / "local" / "authorization.json").write_text("{}")
    settings(kit, timeout=1)
    assert len(diagnose(kit)) == 3


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("startup/fed_client.json", "{}"),
        ("startup/fed_client.json", '{"client": [1]}'),
        ("local/resources.json", '{"components": [1]}'),
        ("local/resources.json", "[" * 100_000),
    ],
)
def test_settings_of_another_form_are_found(own_kit, name, text):
    kit = own_kit("north")
    (kit / name).write_text(text)
    assert any(
        found.startswith(f"{kit} has settings of no kit's form (") for found in diagnose(kit)
    )


def test_what_is_in_the_kit_is_found_by_whichever_path(
    own_kit, party_files, tmp_path, monkeypatch
):
    kit = own_kit("north")
    shutil.copy(party_files.keys["north"], kit / "key")
    (tmp_path / "elsewhere").symlink_to(kit)
    settings(kit, key=str(tmp_path / "elsewhere" / "key"))
    monkeypatch.chdir(tmp_path)
    (found,) = diagnose(Path("north"))
    assert "elsewhere/key is in the kit, where NVIDIA FLARE writes and deletes" in found


def test_a_root_certificate_of_another_project_is_found(own_kit, tmp_path):
    kit, path = own_kit("north"), kit_of_another_authority(tmp_path)
    shutil.copy(path, kit / "startup" / "rootCA.pem")
    (found,) = diagnose(kit)
    assert "The certificate of 'north' has expired, or is not of this kit's project" in found
