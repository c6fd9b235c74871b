"""Two layers and two configurations, compared."""

from __future__ import annotations

import gc
import io
import json
import tarfile
import tracemalloc
from collections.abc import Iterator

import pytest

from orchestrator.content.difference import config_differences, instructions, layer_differences
from orchestrator.content.remedies import remedy_for
from orchestrator.model.reproduction import Aspect, Build, FileDifference, Remedy


def tar_of(*members: tuple[str, bytes, dict[str, object]]) -> list[bytes]:
    """Return a tar in odd pieces: path, content and what differs from a plain file."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content, said in members:
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(content), 1_700_000_000, 0o644
            for attribute, value in said.items():
                setattr(member, attribute, value)
            tar.addfile(member, io.BytesIO(content))
    data = stream.getvalue()
    return [data[at : at + 777] for at in range(0, len(data), 777)]


def plain(
    name: str, content: bytes = b"same", **said: object
) -> tuple[str, bytes, dict[str, object]]:
    return name, content, said


def told(files: tuple[FileDifference, ...]) -> dict[str, object]:
    return {
        file.path: file.only_in or {each.aspect: (each.first, each.second) for each in file.aspects}
        for file in files
    }


def test_equal_layers_differ_in_nothing() -> None:
    """The same files in the same order: nothing is named."""
    layer = tar_of(plain("etc/", b"", type=tarfile.DIRTYPE), plain("etc/a"), plain("ü" * 120))
    assert layer_differences(layer, layer) == ((), False)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(
            plain("f", b"one"),
            plain("f", b"three"),
            {Aspect.SIZE: ("3", "5")},
            id="size",
        ),
        pytest.param(
            plain("f", mode=0o600),
            plain("f", mode=0o4755),
            {Aspect.MODE: ("0600", "4755")},
            id="mode",
        ),
        pytest.param(
            plain("f", uid=1), plain("f", gid=5), {Aspect.OWNER: ("1:0", "0:5")}, id="owner"
        ),
        pytest.param(
            plain("f", mtime=86400),
            plain("f", pax_headers={"mtime": "86401.25"}),
            {Aspect.MTIME: ("1970-01-02T00:00:00Z", "1970-01-02T00:00:01.25Z")},
            id="mtime",
        ),
        pytest.param(
            plain("f", b"", type=tarfile.SYMTYPE, linkname="a"),
            plain("f", b"", type=tarfile.SYMTYPE, linkname="b"),
            {Aspect.LINK: ("a", "b")},
            id="link",
        ),
        pytest.param(
            plain("f", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
            plain("f", b"", type=tarfile.FIFOTYPE),
            {Aspect.KIND: ("character device 1:3", "pipe")},
            id="kind",
        ),
        pytest.param(
            plain("f", pax_headers={"SCHILY.xattr.user.a": "x"}),
            plain("f"),
            {Aspect.ATTRIBUTES: ("SCHILY.xattr.user.a=x", "")},
            id="attributes",
        ),
    ],
)
def test_every_aspect_of_a_file_is_told(
    first: tuple[str, bytes, dict[str, object]],
    second: tuple[str, bytes, dict[str, object]],
    expected: dict[Aspect, tuple[str, str]],
) -> None:
    """With both values; a content by its digest."""
    files, reordered = layer_differences(tar_of(first), tar_of(second))
    assert not reordered
    (found,) = files
    aspects = {each.aspect: (each.first, each.second) for each in found.aspects}
    content = aspects.pop(Aspect.CONTENT, None)
    assert aspects == expected
    assert (content is None) == (first[1] == second[1])
    assert content is None or all(value.startswith("sha256:") for value in content)


def test_files_of_one_build_alone_are_told() -> None:
    """Whatever they are, and a path that stands in a layer twice is two files."""
    first = tar_of(plain("a"), plain("b"), plain("./twice"), plain("twice", b"2"))
    second = tar_of(plain("a"), plain("twice"), plain("c/"))
    files, reordered = layer_differences(first, second)
    assert told(files) == {"b": Build.FIRST, "twice": Build.FIRST, "c": Build.SECOND}
    assert not reordered


def test_another_order_is_told() -> None:
    """Files that are the same, elsewhere in the tar; new files between them are no other order."""
    first = tar_of(plain("a"), plain("b"), plain("c"))
    assert layer_differences(first, tar_of(plain("b"), plain("a"), plain("c"))) == ((), True)
    files, reordered = layer_differences(first, tar_of(plain("a"), plain("x"), plain("c")))
    assert (set(told(files)), reordered) == ({"b", "x"}, False)


def test_contents_are_not_kept() -> None:
    """Two layers of 32 MiB are compared in a few: what counts is the number of files."""

    def layer(last: bytes) -> Iterator[bytes]:
        member = tarfile.TarInfo("large")
        member.size = 32 << 20
        yield member.tobuf()
        for _ in range(31):
            yield bytes(1 << 20)
        yield bytes((1 << 20) - 1) + last
        yield bytes(1024)

    tracemalloc.start()
    try:
        files, _ = layer_differences(layer(b"1"), layer(b"2"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [each.aspect for each in files[0].aspects] == [Aspect.CONTENT]
    assert peak < 12 << 20


def test_members_are_not_kept() -> None:
    """What tells files apart stays, not what the archive says of each: layers have many."""
    layer = tar_of(*(plain(f"f{number}") for number in range(2000)))
    alive = 0

    def watched() -> Iterator[bytes]:
        nonlocal alive
        yield from layer
        alive = sum(isinstance(each, tarfile.TarInfo) for each in gc.get_objects())

    assert layer_differences(layer, watched()) == ((), False)
    assert alive < 1000


@pytest.mark.parametrize("cut", [100, 700, 1500])
def test_what_is_no_tar_is_refused(cut: int) -> None:
    """Nothing is said of half a layer."""
    whole = b"".join(tar_of(plain("a", b"x" * 1000), plain("b")))
    with pytest.raises(ValueError, match="tar"):
        layer_differences([whole], [whole[:cut]])


def test_what_the_giver_of_the_bytes_objects_to_is_heard() -> None:
    """Chunks behind the tar's end are read too: their giver verifies the digest there."""

    def objecting() -> Iterator[bytes]:
        yield from tar_of(plain("a"))
        yield bytes(1 << 20)
        raise ValueError("its digest does not fit")

    with pytest.raises(ValueError, match="digest"):
        layer_differences(tar_of(plain("a")), objecting())


def config(**values: object) -> bytes:
    return json.dumps({"architecture": "amd64", "os": "linux", **values}).encode()


def test_a_configuration_is_compared_value_by_value() -> None:
    """By name and position; times of creation, history and layers do not count."""
    first = config(
        created="2026-01-01T00:00:00Z",
        history=[{"created": "1"}],
        rootfs={"diff_ids": ["sha256:1"]},
        config={"Env": ["A=1", "B=1"], "Labels": {"a.b": "x"}, "Cmd": ["sh"]},
    )
    second = config(
        created="2026-01-02T00:00:00Z",
        rootfs={"diff_ids": ["sha256:2"]},
        config={"Env": ["A=1", "B=2", "C=3"], "Labels": {}, "Cmd": ["sh"]},
    )
    found = [(each.where, each.first, each.second) for each in config_differences(first, second)]
    assert found == [
        ("config.Env[1]", '"B=1"', '"B=2"'),
        ("config.Env[2]", "", '"C=3"'),
        ("config.Labels", "", "{}"),
        ("config.Labels.a.b", '"x"', ""),
    ]
    assert config_differences(first, first) == ()


def test_a_layer_has_the_instruction_that_made_it() -> None:
    """As it stands in the Dockerfile, where history and layers fit; else nobody guesses."""
    said = config(
        history=[
            {"created_by": "COPY a /a # buildkit"},
            {"created_by": "ENV A=1", "empty_layer": True},
            {"created_by": "RUN |1 REFRESH_EPOCH=x /bin/sh -c make  &&   install # buildkit"},
            {"created_by": "RUN /bin/sh -c ls # buildkit"},
            {"created_by": 'RUN ["/bin/busybox", "true"] # buildkit'},
        ]
    )
    assert instructions(said, 4) == (
        "COPY a /a",
        "RUN make && install",
        "RUN ls",
        'RUN ["/bin/busybox", "true"]',
    )
    assert instructions(said, 3) == ("", "", "")
    assert instructions(config(), 1) == ("",)


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("var/log/apt/history.log", Remedy.LOGS),
        ("opt/tool/install.log", Remedy.LOGS),
        ("var/lib/apt/lists/partial", Remedy.APT_LISTS),
        ("var/cache/ldconfig/aux-cache", Remedy.LDCONFIG),
        ("var/cache/debconf/templates.dat", Remedy.CACHES),
        ("var/lib/dpkg/status-old", Remedy.CACHES),
        ("etc/passwd-", Remedy.CACHES),
        ("root/.cache/pip/http/a", Remedy.LANGUAGE_CACHES),
        ("root/.npm/_cacache/index", Remedy.LANGUAGE_CACHES),
        ("usr/lib/python3/a.pyc", Remedy.BYTECODE),
        ("usr/lib/python3/__pycache__", Remedy.BYTECODE),
        ("usr/lib/locale/locale-archive", Remedy.LOCALES),
        ("etc/machine-id", Remedy.MACHINE_ID),
        ("var/lib/dbus/machine-id", Remedy.MACHINE_ID),
        ("etc/shadow", Remedy.ACCOUNTS),
        ("etc/ssh/ssh_host_rsa_key.pub", Remedy.HOST_KEYS),
        ("tmp/a", Remedy.TEMPORARY),
        ("var/tmp", Remedy.TEMPORARY),
        ("usr/share/man/man1/ls.1.gz", Remedy.ARCHIVES),
        ("srv/tmp/a", Remedy.UNKNOWN),
        ("usr/bin/app", Remedy.UNKNOWN),
    ],
)
def test_usual_causes_are_known_by_their_paths(path: str, remedy: Remedy) -> None:
    """And nothing else is taken for one of them."""
    assert remedy_for(FileDifference(path=path, only_in=Build.FIRST)) is remedy


def test_times_and_orders_have_remedies_of_their_own() -> None:
    """A file of which only the time differs had it set."""
    files, _ = layer_differences(tar_of(plain("f", mtime=1)), tar_of(plain("f", mtime=2)))
    assert [file.remedy for file in files] == [Remedy.TIMES]


def sparse(stored: bytes, at: int = 0) -> bytes:
    """Return a layer with a file of which only some bytes are stored, of a petabyte."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        content = f"1\n{at}\n{len(stored)}\n".encode().ljust(512, b"\0") + stored
        member = tarfile.TarInfo("ignored")
        member.size = len(content)
        said = {"major": "1", "minor": "0", "name": "var/log/lastlog", "realsize": str(10**15)}
        member.pax_headers = {f"GNU.sparse.{name}": value for name, value in said.items()}
        archive.addfile(member, io.BytesIO(content))
    return layer.getvalue()


def test_a_sparse_file_is_compared_by_what_is_stored_of_it() -> None:
    """A few bytes that stand for a petabyte of zeros are read as a few bytes."""
    assert layer_differences([sparse(b"abc")], [sparse(b"abc")]) == ((), False)
    for other in (sparse(b"abd"), sparse(b"abc", at=1)):
        (file,), _ = layer_differences([sparse(b"abc")], [other])
        assert (file.path, next(each.aspect for each in file.aspects)) == (
            "var/log/lastlog",
            Aspect.CONTENT,
        )
