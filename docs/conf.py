"""Sphinx configuration."""

from importlib.metadata import version as installed_version

project = "sklearn_fedphe"
copyright = "the sklearn_fedphe developers, GPL-3.0-or-later"  # noqa: A001 (Sphinx's name)
version = release = installed_version("sklearn_fedphe")

extensions = [
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "templates"]
templates_path = ["templates"]
nitpicky = False
highlight_language = "none"  # tables of figures are no Python; doctests are told by themselves

# Pages with none beside them of a common section.
PAGES_ALONE = (
    "getting_started",
    "user_guide",
    "cross_validation",
    "solvers",
    "faq",
    "security",
    "ring_step_by_step",
    "architecture",
    "benchmarks",
)

html_theme = "pydata_sphinx_theme"
html_title = project
html_sidebars = {page: [] for page in PAGES_ALONE}
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_show_sourcelink = False
html_theme_options = {"show_prev_next": False, "secondary_sidebar_items": ["page-toc"]}

autodoc_typehints = "none"  # numpydoc says them, in words
toc_object_entries_show_parents = "hide"
autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_validation_checks = {"PR01", "PR02", "PR03", "RT03", "GL03"}
# Protocols are not made, and requests are scikit-learn's own.
numpydoc_validation_exclude = {r"\.set_\w+_request$", r"\.Objective$"}

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",  # run them all, not only those called plot_
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
}
