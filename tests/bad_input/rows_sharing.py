"""Variants, what images share, included files, the life of an image: what can be wrong there."""

from __future__ import annotations

from orchestrator.doors.memory.files import Directory, Entry, Faulty, Special, Symlink
from orchestrator.doors.tree import Kind
from tests.bad_input.row import HEAD, IMAGES, Row, dockerfile, file, more, tree


def matrix(name: str, fields: str, key: str = "py") -> Row:
    """Return a row about an image with a matrix."""
    return file(name, f"{HEAD}images:\n  {key}: {{context: app, version: '1', {fields}}}\n")


def including(name: str, include: str, **files: Entry) -> Row:
    """Return a row about a hierarchy that includes files."""
    top = f"{HEAD}include: [{include}]\n{IMAGES}".encode()
    given = {path.replace("__", "/").replace("_yaml", ".yaml"): at for path, at in files.items()}
    return tree(name, {"hierarchy.yaml": top, "app/Dockerfile": b"FROM scratch\n", **given})


TEAM = b'images:\n  web: {context: app, version: "1"}\n'

ROWS = (
    matrix("an axis that does not exist", "matrix: {python: ['3.11']}, target: 'py{pyton}'"),
    matrix("an axis named like a placeholder of tags", "matrix: {version: ['1']}"),
    matrix("a matrix without values", "matrix: {python: []}"),
    matrix("a matrix of more images than anybody wants",
           "matrix: {" + ", ".join(f"{a}: [{', '.join(map(str, range(10)))}]" for a in "abcd")
           + "}"),
    dockerfile("a thousand variants with one mistake", "FROM Debian\n",
               f"matrix: {{a: [{', '.join(map(str, range(1000)))}]}}"),
    matrix("exclude without a matrix", "exclude: [{python: '3.11'}]"),
    matrix("exclude of an axis that does not exist",
           "matrix: {python: ['3.11']}, exclude: [{distro: trixie}]"),
    matrix("exclude of everything", "matrix: {python: ['3.11']}, exclude: [{python: '3.11'}]"),
    matrix("variants that move the same tag",
           "repository: python, matrix: {distro: [bookworm, trixie]}"),
    matrix("variants of one id", "matrix: {python: ['3.11'], distro: [bookworm, trixie]}",
           "py-{python}"),
    matrix("a value that looks like an option", "matrix: {distro: ['--push']}"),
    matrix("a version of numbers that differ by nothing", "matrix: {python: [3.10, 3.10]}"),
    more("defaults with a key of images only", "defaults: {context: app}"),
    more("a tier that does not exist",
         'tiers: {base: {packages: apt}}\ndefaults: {tier: bse}'),
    file("requires another version", f"requires: '>=99'\nbildrs: []\n{HEAD}{IMAGES}"),
    more("requires nothing that can be compared", "requires: newest"),
    more("formerly the id of another image",
         "  web: {context: app, version: '1', formerly: app}"),
    more("replaced by nobody", "  old: {retired: true, replaced_by: ap}"),
    more("replaced in a circle",
         "  a: {retired: true, replaced_by: b}\n  b: {retired: true, replaced_by: a}"),
    more("replaced and still built",
         "  web: {context: app, version: '1', replaced_by: app}"),
    including("an included file that is not there", "teams/web.yaml"),
    including("a pattern that leaves the directory", "'../*.yaml'"),
    including("an included file that is a FIFO", "teams/web.yaml",
              teams__web_yaml=Special(kind=Kind.FIFO)),
    including("an included file that is a directory", "teams",
              teams=Directory()),
    including("an included file that nobody may read", "'*.yaml'", web_yaml=Faulty()),
    including("an included file that is a link to itself", "web.yaml",
              web_yaml=Symlink(target="web.yaml")),
    including("an included file of another place", "web.yaml",
              web_yaml=Symlink(target="/etc/hostname")),
    including("an included file with a key of the hierarchy's", "web.yaml",
              web_yaml=TEAM + b"registry: quay.io/web\n"),
    including("an included file that includes", "web.yaml", web_yaml=TEAM + b"include: [b.yaml]\n"),
    including("two files with the same image", "'teams/*'",
              teams__a_yaml=TEAM, teams__b_yaml=TEAM),
    including("mistakes in several files at once", "'teams/*'",
              teams__a_yaml=b"images:\n  web: {context: app, version: '1', contxt: a}\n",
              teams__b_yaml=b"images: [\n",
              teams__c_yaml=b"images:\n  c: {context: nowhere, version: '1'}\n"),
)  # fmt: skip
