"""The link that scikit-learn puts on an estimator in a notebook."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, metadata


class DocumentationLink:
    """Links an estimator's diagram to its page, once the package's metadata names a site.

    The three attributes are those that scikit-learn asks other packages to set. Where there
    is no site the link is empty, and scikit-learn draws none.
    """

    _doc_link_module = "sklearn_fedphe"
    _doc_link_template = "{url}"

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        site = documentation_site()
        page = f"generated/sklearn_fedphe.{type(self).__name__}.html"
        return {"url": f"{site}/{page}" if site else ""}


@cache
def documentation_site() -> str:
    """Return what `[project.urls]` calls Documentation, "" if it does not.

    Returns
    -------
    str
        Without a slash at its end.
    """
    try:
        urls: list[str] = metadata("sklearn_fedphe").get_all("Project-URL") or []
    except PackageNotFoundError:  # imported from a checkout that is not installed
        urls = []
    by_label = dict(url.split(", ", 1) for url in urls)
    return by_label.get("Documentation", "").rstrip("/")
