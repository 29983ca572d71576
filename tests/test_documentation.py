"""The link from a notebook to the documentation."""

import re
from email.message import Message
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from sklearn.utils import estimator_html_repr

from sklearn_fedphe import FederatedLinearRegression, FederatedStandardScaler, documentation

API = Path(__file__).parents[1] / "docs" / "api.rst"
ESTIMATORS = [FederatedLinearRegression, FederatedStandardScaler]


@pytest.fixture
def project_urls(monkeypatch):
    """Make the installed metadata name these, or nothing."""

    def name(*urls):
        metadata = Message()
        for url in urls:
            metadata["Project-URL"] = url
        monkeypatch.setattr(documentation, "metadata", lambda _: metadata)

    documentation.documentation_site.cache_clear()
    yield name
    documentation.documentation_site.cache_clear()


def links(estimator):
    html = estimator_html_repr(estimator)
    return re.findall(r'<a class="sk-estimator-doc-link[^>]*href="([^"]*)"', html)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_links_to_its_page(estimator, project_urls):
    project_urls("Source, https://code.example", "Documentation, https://docs.example/stable/")

    [link] = links(estimator())

    name = estimator.__name__
    assert link == f"https://docs.example/stable/generated/sklearn_fedphe.{name}.html"
    # autosummary makes a page of this name for what is listed under the package itself.
    listed, *_ = API.read_text().split("currentmodule:: sklearn_fedphe.")
    assert f"   {name}\n" in listed


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("urls", [[], ["Source, https://code.example"]])
def test_no_site_no_link(estimator, urls, project_urls):
    project_urls(*urls)

    assert links(estimator()) == []


def test_not_installed_no_link(project_urls, monkeypatch):
    def missing(_):
        raise PackageNotFoundError

    project_urls()
    monkeypatch.setattr(documentation, "metadata", missing)

    assert links(FederatedLinearRegression()) == []


def test_an_estimator_made_from_ours_links_nowhere(project_urls):
    project_urls("Documentation, https://docs.example")

    class Own(FederatedLinearRegression):
        pass

    assert links(Own()) == []
