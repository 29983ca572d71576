"""What the package offers, and what a party on a machine of its own does not load."""

import subprocess
import sys
from importlib import import_module

import pytest

PACKAGES = ["sklearn_fedphe", "sklearn_fedphe.engines.nvflare"]


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_is_there(name):
    package = import_module(name)

    assert dir(package) == sorted(package.__all__)
    for public in package.__all__:
        value = getattr(package, public)
        assert value is getattr(package, public)
        assert getattr(value, "__name__", public) == public


@pytest.mark.parametrize("name", PACKAGES)
def test_no_other_name_is(name):
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        import_module(name).nothing  # noqa: B018


@pytest.mark.parametrize("name", ["executor", "deployer", "controller"])
def test_a_party_loads_neither_the_estimator_nor_what_reads_files(name):
    code = (
        f"import sys, sklearn_fedphe.engines.nvflare.{name}; "
        "print({'sklearn', 'scipy', 'pandas', 'pyarrow'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603

    assert finished.stdout.strip() == "set()"
