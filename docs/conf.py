"""The site: `make docs` builds it from the pages next to this file and the docstrings, with warnings as errors."""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from slicing_gym import __version__
from slicing_gym.cli import commands

PACKAGES = (
    *("slicing_gym", "twin", "twin.traffic", "agents", "agents.deploy"),
    *(f"experiments.{name}" for name in (*commands(), "config", "environments", "regret", "runs")),
)
"""Whose exported names are all in the API reference."""

project = "slicing-gym"
author = "The slicing-gym authors"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
exclude_patterns = ["data"]
nitpicky = False  # docstrings name types of other libraries
highlight_language = "text"  # what commands print is no Python; blocks of Python say so
default_role = "code"  # docstrings write code in single backticks

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 4

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # or an attribute with a docstring of its own is described twice

html_theme = "furo"
html_title = "slicing-gym"
html_show_copyright = False
html_theme_options = {"top_of_page_buttons": []}
html_static_path = ["_static"]
html_css_files = ["site.css"]


class EnvironmentDirective(SphinxDirective):
    """The docstring of an environment, which is Markdown as Gymnasium's own are, as part of a Markdown page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The parsed docstring, without its first line."""
        module, name = self.arguments[0].rsplit(".", 1)
        text = inspect.getdoc(getattr(importlib.import_module(module), name)) or ""
        text = text.split("\n", 1)[1].replace("\n## ", "\n### ")
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class NotebookDirective(SphinxDirective):
    """The cells of a notebook and what they printed when it was stored, as part of a Markdown page; nothing is run."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The parsed cells, without the first line, which is the notebook's title."""
        path = Path(self.env.srcdir, self.arguments[0])
        self.env.note_dependency(str(path))
        text = "\n\n".join(map(_cell, json.loads(path.read_text())["cells"]))
        return self.parse_text_to_nodes(text.split("\n", 1)[1], allow_section_headings=True)


def _cell(cell: dict[str, Any]) -> str:
    """A cell of a notebook as Markdown."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return source
    parts = [f"```python\n{source}\n```"]
    for output in cell["outputs"]:
        picture = output.get("data", {}).get("image/png")
        text = f"```\n{''.join(output.get('text', []))}```"
        parts.append(text if picture is None else f"![What the cell draws](data:image/png;base64,{picture.strip()})")
    return "\n\n".join(parts)


class ExportsDirective(SphinxDirective):
    """All exported names of a package, in alphabetical order."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The parsed directives of autodoc, one a name."""
        package = importlib.import_module(self.arguments[0])
        names = [name for name in package.__all__ if not name.startswith("__")]
        text = "\n\n".join(self._described(package, name) for name in sorted(names))
        return self.parse_text_to_nodes(text)

    def _described(self, package: ModuleType, name: str) -> str:
        """The directive of a name; a class that another package exports, too, is in the index once."""
        value = getattr(package, name)
        known = _own_name(value) in self.env.domaindata["py"]["objects"]
        return _described(package.__name__, name, value) + ("\n   :no-index:" if known else "")


def _own_name(value: object) -> str:
    """The name of a class or function where it is defined; nothing of anything else."""
    return f"{value.__module__}.{value.__qualname__}" if isinstance(value, type) or inspect.isroutine(value) else ""


def _described(package: str, name: str, value: object) -> str:
    """The directive that describes an exported object; of a constant with the docstring below its assignment."""
    if isinstance(value, type):
        kind = "autoexception" if issubclass(value, BaseException) else "autoclass"
        return f".. {kind}:: {package}.{name}"
    if inspect.isroutine(value):
        return f".. autofunction:: {package}.{name}"
    own = [module for key, module in sys.modules.items() if f"{key}.".startswith(f"{package}.")]
    for module in own:
        if getattr(module, "__file__", None) and vars(module).get(name) is value:
            lines = ModuleAnalyzer.for_module(module.__name__).find_attr_docs().get(("", name))
            if lines:
                return "\n".join([f".. py:data:: {package}.{name}", "", *(f"   {line}" for line in lines)])
    return f".. py:data:: {package}.{name}"


def adapt_docstring(_: Sphinx, __: str, ___: str, ____: Any, _____: Any, lines: list[str]) -> None:
    """Of docstrings in Markdown keep the first paragraph; in others bars and stars of shapes are no markup."""
    if any(line.startswith("## ") for line in lines):
        lines[lines.index("") + 1 :] = ["All of it: :doc:`/environment`."]
    else:
        lines[:] = [line if "``" in line else _plain(line) for line in lines]


def _plain(line: str) -> str:
    """A line without substitutions, and with stars that mark nothing, as in `(n, *shape)`."""
    return line.replace("|", r"\|").replace("*", r"\*" if line.count("*") % 2 else "*")


def check_reference(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of exported names that the API reference lacks."""
    described = env.domaindata["py"]["objects"]
    for name in PACKAGES:
        package = importlib.import_module(name)
        exported = {f"{name}.{each}": getattr(package, each) for each in package.__all__ if not each.startswith("__")}
        missing = [each for each, value in exported.items() if not {each, _own_name(value)} & set(described)]
        if missing:
            logging.getLogger(__name__).warning("%s exports %s, which the API reference lacks", name, missing)
    del app


def setup(app: Sphinx) -> None:
    """Register what the pages use."""
    app.connect("env-check-consistency", check_reference)
    app.add_directive("environment", EnvironmentDirective)
    app.add_directive("notebook", NotebookDirective)
    app.add_directive("exports", ExportsDirective)
    app.connect("autodoc-process-docstring", adapt_docstring)
