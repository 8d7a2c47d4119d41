"""Directives that write reference pages from the code, so that no page repeats it by hand.

``.. schema-keys:: FILE [DEFINITION]``
    the keys of an object in a JSON schema of etc/ratekit: type, default, limits, description
``.. program-help:: MODULE``
    what the program in a module of ratekit.cmd prints for ``--help``
``.. api-operations:: PREFIX``
    the operations of the API below a path: arguments, status and policy
``.. notes-report::``
    all release notes, as ``reno report`` formats them; neither a shallow clone nor an archive
    without a history fails the build
"""

from __future__ import annotations

import json
import logging
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from docutils import nodes, statemachine
from reno import config, formatter, loader
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import ratekit
from ratekit.api import openapi, routes

ROOT = pathlib.Path(__file__).parents[2]

_LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} entries",
    "minProperties": "at least {} keys",
}


class GeneratedText(SphinxDirective):
    """A directive whose text a subclass computes and Sphinx parses, headings included."""

    has_content = False

    def lines(self) -> Iterator[str]:
        """Yield reStructuredText."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Return the parsed text."""
        source, line = self.get_source_info()
        text = statemachine.StringList(list(self.lines()), source=f"{source}:{line}:{self.name}")
        return self.parse_content_to_nodes_from(text)

    def parse_content_to_nodes_from(self, text: statemachine.StringList) -> list[nodes.Node]:
        """Parse text that may have headings."""
        self.content = text
        return self.parse_content_to_nodes(allow_section_headings=True)


class SchemaKeys(GeneratedText):
    """The keys of one object of a JSON schema.

    Objects that a key contains are links: the section about DEFINITION of ``x.schema.json`` needs
    the label ``x-definition``.
    """

    required_arguments = 1
    optional_arguments = 1

    def lines(self) -> Iterator[str]:
        """Yield a definition list with one entry a key."""
        path = ROOT / "etc/ratekit" / self.arguments[0]
        self.env.note_dependency(str(path))
        schema = json.loads(path.read_text(encoding="utf-8"))
        types = TypeTexts(path.name.partition(".")[0], schema["$defs"])
        target = schema["$defs"][self.arguments[1]] if len(self.arguments) > 1 else schema
        required = target.get("required", ())
        for name in sorted(target["properties"], key=lambda key: (key not in required, key)):
            yield from describe_key(name, target["properties"][name], name in required, types)


class TypeTexts:
    """Writes what kind of value a key takes.

    :param prefix: of labels of sections
    :param definitions: the schema's objects and enumerations, by name
    """

    def __init__(self, prefix: str, definitions: Mapping[str, Any]) -> None:
        self._prefix = prefix
        self._definitions = definitions

    def text(self, schema: Mapping[str, Any]) -> str:
        """Return reStructuredText."""
        if "$ref" in schema:
            name = str(schema["$ref"].rpartition("/")[2])
            definition = self._definitions[name]
            return self.text(definition) if "enum" in definition else self._link(name)
        if "enum" in schema:
            return "one of " + ", ".join(f"``{value}``" for value in schema["enum"])
        if "anyOf" in schema:
            choices = [self.text(choice) for choice in schema["anyOf"] if not is_null(choice)]
            return " or ".join(dict.fromkeys(choices))
        kinds = schema.get("type", "any value")
        kind = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
        if kind == "array":
            return f"list of {self.text(schema['items'])}"
        if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
            return f"for each name: {self.text(schema['additionalProperties'])}"
        return kind

    def _link(self, name: str) -> str:
        return f":ref:`{self._prefix}-{name.lower()}`"


def describe_key(
    name: str, schema: Mapping[str, Any], required: bool, types: TypeTexts
) -> Iterator[str]:
    """Yield the definition of one key."""
    text = schema.get("description", "")
    facts = [types.text(schema), *limits(schema)]
    if required:
        facts.append("**required**")
    # Most descriptions say what happens by default.
    elif schema.get("default") not in (None, [], {}, "") and "Default" not in text:
        facts.append(f"default ``{json.dumps(schema['default'])}``")
    yield f"``{name}``"
    yield from (f"    {line}" for line in text.splitlines())
    yield ""
    yield f"    Value: {'; '.join(facts)}."
    examples = ", ".join(f"``{value}``" for value in schema.get("examples", ()))
    if examples:
        yield f"    Examples: {examples}."
    yield ""


def limits(schema: Mapping[str, Any]) -> list[str]:
    """Return the bounds of a value, each as a phrase."""
    schemas = [schema, *schema.get("anyOf", ())]
    bounds = {key: part[key] for part in schemas for key in _LIMITS if key in part}
    # "Not empty" is what one character or entry at least comes to.
    return [
        "not empty" if key.startswith("min") and key != "minimum" and bound == 1 else text
        for key, bound in bounds.items()
        for text in [_LIMITS[key].format(bound)]
    ]


def is_null(schema: Mapping[str, Any]) -> bool:
    """Tell whether a choice of a schema only says that the key may be empty."""
    return schema.get("type") == "null"


class ProgramHelp(SphinxDirective):
    """The output of a program's --help, as it is."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Run the program; return its output as a literal block."""
        program = f"from ratekit.cmd.{self.arguments[0]} import main; raise SystemExit(main())"
        output = subprocess.run(
            [sys.executable, "-c", program, "--help"],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "COLUMNS": "90", "NO_COLOR": "1", "PYTHON_COLORS": "0"},
        )
        block = nodes.literal_block(output.stdout, output.stdout)
        block["language"] = "text"
        return [block]


class ApiOperations(GeneratedText):
    """The operations whose paths start with a prefix, by path."""

    required_arguments = 1

    def lines(self) -> Iterator[str]:
        """Yield a definition list with one entry an operation."""
        rules = {(each.verb, each.path): each.rule for each in routes.OPERATIONS}
        paths: Mapping[str, Any] = openapi.build(routes.OPERATIONS)["paths"]
        for path in sorted(paths):
            if path.startswith(self.arguments[0]):
                for verb, operation in paths[path].items():
                    yield from describe_operation(
                        f"{verb.upper()} {path}", operation, rules[verb.upper(), path]
                    )


def describe_operation(title: str, operation: Mapping[str, Any], rule: str | None) -> Iterator[str]:
    """Yield the definition of one operation.

    :param rule: the policy that decides about it; None: everybody may use it, without a token
    """
    yield f"``{title}``"
    yield f"    {operation['summary']}"
    for line in operation.get("description", "").splitlines():
        yield f"    {line}".rstrip()
    yield ""
    arguments = [*describe_arguments(operation)]
    if arguments:
        yield f"    Arguments: {', '.join(arguments)}."
    success = next(iter(operation["responses"]))
    permission = "public" if rule is None else f"policy ``{rule}``"
    yield f"    Success: {success}; {permission}."
    yield ""


def describe_arguments(operation: Mapping[str, Any]) -> Iterator[str]:
    """Yield each argument, with where it is unless it is in the query or in the path."""
    for parameter in operation.get("parameters", ()):
        required = parameter["required"] and parameter["in"] != "path"
        yield f"``{parameter['name']}``" + (" (required)" if required else "")
    content = operation.get("requestBody", {}).get("content", {})
    for media in content.values():
        schema = media["schema"]
        for name in schema.get("properties", ()):
            yield f"``{name}``" + (" (required)" if name in schema.get("required", ()) else "")


class WorkingTree:
    """Release notes as they are on disk: what reno's formatter needs of a loader."""

    def __init__(self, options: config.Config) -> None:
        self._notes = ROOT / options.notespath

    def __getitem__(self, version: str) -> Sequence[tuple[str, str]]:
        """Return (file, revision) of each note."""
        return [(path.name, "") for path in sorted(self._notes.glob("*.yaml"))]

    def parse_note_file(self, name: str, revision: str) -> Mapping[str, Any]:
        """Return the sections of a note."""
        content = yaml.safe_load((self._notes / name).read_text(encoding="utf-8"))
        return {key: [value] if isinstance(value, str) and key != "prelude" else value
                for key, value in content.items()}  # fmt: skip


class NotesReport(GeneratedText):
    """All release notes: by the tags of the releases, or, before the first one, in one section."""

    def lines(self) -> Iterator[str]:
        """Yield reno's report."""
        # It would say that there is no file with options of its own.
        logging.getLogger("reno").setLevel(logging.WARNING)
        options = config.Config(str(ROOT))
        if has_releases():
            options.override(unreleased_version_title="Unreleased")
            with loader.Loader(options, ignore_cache=True) as notes:
                yield from report(notes, options, notes.versions)
        else:
            yield from report(WorkingTree(options), options, [ratekit.__version__])


def report(notes: Any, options: config.Config, versions: Sequence[str]) -> Sequence[str]:
    """Return the lines of reno's report."""
    text: str = formatter.format_report(notes, options, versions, show_source=False)
    return text.splitlines()


def has_releases() -> bool:
    """Tell whether git knows the tag of a release and all commits since."""
    if git("rev-parse", "--is-shallow-repository") != "false":
        return False
    return git("describe", "--tags", "--abbrev=0") != ""


def git(*arguments: str) -> str:
    """Return git's output; nothing where there is no git, no repository or no such thing."""
    try:
        output = subprocess.run(
            ["git", "-C", ROOT, *arguments], check=False, capture_output=True, text=True
        )
    except FileNotFoundError:
        return ""
    return output.stdout.strip() if output.returncode == 0 else ""


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx of the directives."""
    app.add_directive("schema-keys", SchemaKeys)
    app.add_directive("program-help", ProgramHelp)
    app.add_directive("api-operations", ApiOperations)
    app.add_directive("notes-report", NotesReport)
    return {"parallel_read_safe": True}
