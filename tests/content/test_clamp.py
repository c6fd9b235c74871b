"""A layer's times: what is set to the epoch, and that nothing else is touched."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.content.clamp import clamped_tar, gzip_of, is_clampable

EPOCH_S = 1_700_000_000
LATE_S, EARLY_S = EPOCH_S + 1000, EPOCH_S - 1000
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
PLAIN = "application/vnd.oci.image.layer.v1.tar"

#: What tars use that is not simply a file: type, link target, extended records.
MEMBERS: tuple[tuple[str, bytes, str, dict[str, str]], ...] = (
    ("etc", tarfile.DIRTYPE, "", {}),
    ("etc/passwd", tarfile.REGTYPE, "", {}),
    ("etc/hard", tarfile.LNKTYPE, "etc/passwd", {}),
    ("etc/soft", tarfile.SYMTYPE, "passwd", {}),
    ("etc/.wh.gone", tarfile.REGTYPE, "", {}),
    ("etc/.wh..wh..opq", tarfile.REGTYPE, "", {}),
    ("dev/null", tarfile.CHRTYPE, "", {}),
    ("dev/sda", tarfile.BLKTYPE, "", {}),
    ("run/pipe", tarfile.FIFOTYPE, "", {}),
    ("bin/ping", tarfile.REGTYPE, "", {"SCHILY.xattr.security.capability": "\x01\x02"}),
    ("usr/" + "n" * 200, tarfile.REGTYPE, "", {}),
    ("usr/link", tarfile.SYMTYPE, "t" * 200, {}),
    ("usr/ümlaut", tarfile.REGTYPE, "", {"comment": f"mtime={LATE_S}"}),
)


def tar_of(times: Iterator[float], tar_format: int) -> bytes:
    """Return a tar of the members above, each with the next of the times."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tar_format) as tar:
        for name, kind, target, records in MEMBERS:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.mtime = kind, target, next(times)
            content = name.encode() * 100 if kind == tarfile.REGTYPE else b""
            member.size = len(content)
            member.pax_headers = records if tar_format == tarfile.PAX_FORMAT else {}
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def one_header(mtime: bytes, **places: tuple[int, bytes]) -> bytes:
    """Return a tar of one empty file: the bytes of its time, and bytes at other places."""
    header = bytearray(tarfile.TarInfo("file").tobuf(tarfile.GNU_FORMAT))
    header[136:148] = mtime
    for at, content in places.values():
        header[at : at + len(content)] = content
    return with_checksum(header) + bytes(1024)


def with_checksum(header: bytes | bytearray) -> bytes:
    """Return the header with the checksum that it should have."""
    plain = header[:148] + b" " * 8 + header[156:512]
    return bytes(plain[:148] + b"%06o\0 " % sum(plain) + plain[156:])


def records_of(records: Mapping[str, str]) -> bytes:
    """Return a tar of one empty file with an extended header."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("file")
        member.pax_headers = dict(records)
        tar.addfile(member)
    return stream.getvalue()


def clamped(tar: bytes, chunk_bytes: int = 1 << 20) -> bytes:
    """Return the tar clamped, given in chunks of a size."""
    chunks = [tar[at : at + chunk_bytes] for at in range(0, len(tar), chunk_bytes)]
    return b"".join(clamped_tar(chunks, PLAIN, EPOCH_S))


def differing(one: bytes, other: bytes) -> set[int]:
    """Return in which bytes two contents of one length differ."""
    assert len(one) == len(other)
    return {at for at, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1]}


@pytest.mark.parametrize("tar_format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("chunk_bytes", [1, 511, 512, 513, 10_000, 1 << 20])
def test_late_times_become_the_epoch_and_every_member_stays(
    tar_format: int, chunk_bytes: int
) -> None:
    """However it arrives in chunks, a tar becomes what it would be had it been made at the epoch.

    Byte for byte: long names, links, devices, whiteouts and attributes.
    """
    late = tar_of(iter([LATE_S] * 99), tar_format)
    assert clamped(late, chunk_bytes) == tar_of(iter([EPOCH_S] * 99), tar_format)


@pytest.mark.parametrize("tar_format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("mtime", [0, EARLY_S, EPOCH_S, EARLY_S + 0.5])
def test_times_up_to_the_epoch_leave_every_byte(tar_format: int, mtime: float) -> None:
    """Where nothing is late, nothing is changed: the diff ID is the one it was."""
    tar = tar_of(iter([mtime] * 99), tar_format)
    assert clamped(tar) == tar


@given(
    st.lists(
        st.one_of(
            st.integers(0, 2**40),
            st.integers(EPOCH_S - 2, EPOCH_S + 2),
            st.floats(EPOCH_S - 2, EPOCH_S + 2),
            st.integers(-(2**30), -1),
        ),
        min_size=len(MEMBERS),
        max_size=len(MEMBERS),
    ),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
    st.integers(1, 3000),
)
def test_tarfile_reads_the_same_members_with_other_times(
    times: list[float], tar_format: int, chunk_bytes: int
) -> None:
    """`tarfile` finds all that was there, the content too, and each time at most the epoch."""
    before = tar_of(iter(times), tar_format)
    after = clamped(before, chunk_bytes)
    with (
        tarfile.open(fileobj=io.BytesIO(before)) as old,
        tarfile.open(fileobj=io.BytesIO(after)) as new,
    ):
        for was, now in zip(old.getmembers(), new.getmembers(), strict=True):
            assert now.mtime == min(was.mtime, EPOCH_S)
            file, same = old.extractfile(was) if was.isreg() else None, None
            if file is not None:
                same = new.extractfile(now)
                assert same is not None
                assert same.read() == file.read()
            for said in (was, now):
                said.mtime = said.chksum = 0
                said.pax_headers = {n: v for n, v in said.pax_headers.items() if n != "mtime"}
            assert now.get_info() == was.get_info()
            assert now.pax_headers == was.pax_headers
            assert now.offset_data == was.offset_data


@pytest.mark.parametrize("epoch_s", [-5, 0, 8**11 - 1, 2**50])
def test_any_epoch_can_be_written(epoch_s: int) -> None:
    """A parent may claim to be from any year; the header keeps its length."""
    before = one_header(b"\x80" + (2**60).to_bytes(11, "big"))
    after = b"".join(clamped_tar([before], PLAIN, epoch_s))
    assert len(after) == len(before)
    mtime = tarfile.TarInfo.frombuf(after[:512], "utf-8", "strict").mtime
    assert mtime == min(max(epoch_s, 0), 8**11 - 1)


def test_only_the_time_and_the_checksum_of_a_late_header_change() -> None:
    """Of 512 bytes, those of the one field and of the checksum; and it is the right one."""
    before = one_header(b"%011o\0" % LATE_S)
    after = clamped(before)
    assert differing(before, after) <= {*range(136, 148), *range(148, 156)}
    assert after[:512] == with_checksum(after[:512])


@pytest.mark.parametrize(
    ("mtime", "expected"),
    [
        (b"\x80" + LATE_S.to_bytes(11, "big"), EPOCH_S),
        (b"\x80" + (2**60).to_bytes(11, "big"), EPOCH_S),
        (b"\x80" + EARLY_S.to_bytes(11, "big"), EARLY_S),
        (b"\xff" * 12, -1),
        (b"%011o " % LATE_S, EPOCH_S),
        (b"%11o\0" % LATE_S, EPOCH_S),
        (b"\0" * 12, 0),
    ],
    ids=["base 256", "huge", "base 256 early", "negative", "ends in space", "spaces", "empty"],
)
def test_every_way_to_write_a_number_is_read(mtime: bytes, expected: int) -> None:
    """Octal with any padding and GNU's base 256; what is not late keeps its bytes."""
    before = one_header(mtime)
    after = clamped(before)
    assert tarfile.TarInfo.frombuf(after[:512], "utf-8", "strict").mtime == expected
    if expected != EPOCH_S:
        assert after == before


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        (f"{LATE_S}", f"{EPOCH_S}"),
        (f"{LATE_S}.123456789", f"{EPOCH_S}.000000000"),
        (f"{EPOCH_S}.000000001", f"{EPOCH_S}.000000000"),
        (f"{EPOCH_S}.", f"{EPOCH_S}."),
        (f"{EPOCH_S}.000", f"{EPOCH_S}.000"),
        (f"{EARLY_S}.999999999", f"{EARLY_S}.999999999"),
        ("99999999999999.5", f"0000{EPOCH_S}.0"),
        (f"-{LATE_S}.5", f"-{LATE_S}.5"),
        ("soon", "soon"),
    ],
)
@pytest.mark.parametrize("name", ["mtime", "atime", "ctime"])
def test_extended_records_of_times_are_clamped_in_place(name: str, said: str, becomes: str) -> None:
    """Fractions of a second count, and the record keeps its length, so that all after it stays."""
    other = {"comment": "x", "SCHILY.xattr.user.mtime": f"{LATE_S}"}
    assert clamped(records_of({name: said, **other})) == records_of({name: becomes, **other})


def test_global_header_is_clamped_too() -> None:
    """A global header's times hold for every file after it."""
    tars = []
    for mtime in (LATE_S, EPOCH_S):
        stream = io.BytesIO()
        with tarfile.open(
            fileobj=stream,
            mode="w",
            format=tarfile.PAX_FORMAT,
            pax_headers={"mtime": f"{mtime}", "comment": "all"},
        ) as tar:
            tar.addfile(tarfile.TarInfo("file"))
        tars.append(stream.getvalue())
    assert clamped(tars[0]) == tars[1]


@pytest.mark.parametrize(
    ("magic", "tail", "access_at", "change_at"),
    [(b"ustar  \0", b"", 345, 357), (b"ustar\x0000", b"tar\0", 476, 488)],
    ids=["gnu", "star"],
)
def test_access_and_change_times_of_old_formats_are_clamped(
    magic: bytes, tail: bytes, access_at: int, change_at: int
) -> None:
    """GNU tar and star keep them in the header itself."""

    def header(access_s: int, change_s: int) -> bytes:
        return one_header(
            b"%011o\0" % EARLY_S,
            magic=(257, magic),
            tail=(508, tail),
            access=(access_at, b"%011o\0" % access_s),
            change=(change_at, b"%011o\0" % change_s),
        )

    assert clamped(header(LATE_S, EARLY_S)) == header(EPOCH_S, EARLY_S)
    assert clamped(header(EARLY_S, LATE_S)) == header(EARLY_S, EPOCH_S)


def test_part_of_a_name_is_not_taken_for_a_time() -> None:
    """Where GNU has the access time, ustar has the prefix of a long name, digits perhaps."""
    before = one_header(
        b"%011o\0" % EARLY_S, magic=(257, b"ustar\x0000"), prefix=(345, b"77777777777/" * 4)
    )
    assert clamped(before) == before


def test_content_that_looks_like_a_header_is_content() -> None:
    """A tar within a tar, a sparse file's map and a size in a link's header lead nobody astray."""
    inner = one_header(b"%011o\0" % LATE_S)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("inner.tar")
        member.size = len(inner)
        tar.addfile(member, io.BytesIO(inner))
    sized_link = one_header(b"%011o\0" % EARLY_S, kind=(156, b"1"), size=(124, b"%011o\0" % 5000))
    sparse = one_header(
        b"%011o\0" % EARLY_S, kind=(156, b"S"), size=(124, b"%011o\0" % 512), more=(482, b"\1")
    )[:512]
    maps = b"7" * 504 + b"\1" + bytes(7) + b"7" * 504 + bytes(8)
    before = stream.getvalue()[: 512 + len(inner)] + sized_link[:512] + sparse + maps
    # Of the first inner tar the header is the sparse file's content; the second is no content.
    late, tail = inner[:512], inner
    for chunk_bytes in (100, 512, 1 << 20):
        assert clamped(before + late + tail, chunk_bytes) == before + late + clamped(tail)


def test_size_of_an_extended_header_counts() -> None:
    """The size of a file beyond 8 GiB stands in a record; here it is small and said twice."""
    late = one_header(b"%011o\0" % LATE_S)[:512]
    file = one_header(b"%011o\0" % EARLY_S, size=(124, b"%011o\0" % 0))[:512]
    records = records_of({"size": "512"})[:1024]
    long_name = one_header(bytes(12), kind=(156, b"L"), size=(124, b"%011o\0" % 5))[:512]
    name = b"name\0".ljust(512, b"\0")
    for between in (b"", long_name + name):
        before = records + between + file + late
        assert clamped(before + late) == before + clamped(late)
    # It counts for one file.
    assert clamped(records + file + late + file + late) == (
        records + file + late + file + clamped(late)
    )


def test_what_follows_the_end_of_the_archive_stays() -> None:
    """Padding, and whatever else stands behind the block of zeros."""
    late = one_header(b"%011o\0" % LATE_S)[:512]
    assert clamped(bytes(1024) + late + b"odd") == bytes(1024) + late + b"odd"


@pytest.mark.parametrize(
    "damaged",
    [
        b"debian 12.1 for linux/amd64".ljust(512, b"."),
        b"too short",
        one_header(b"%011o\0" % 1, size=(124, b"%011o\0" % 5000)),
        one_header(b"%011o\0" % 1, kind=(156, b"x"), size=(124, b"%011o\0" % (1 << 30))),
        one_header(b"%011o\0" % 1, kind=(156, b"x"), size=(124, b"%011o\0" % 512))[:512]
        + b"9" * 512,
        one_header(b"not a time\0\0"),
        one_header(b"%011o\0" % 1, size=(124, b"\xff" * 10 + b"\xfe\0")),
    ],
    ids=["no tar", "short", "truncated", "huge records", "bad records", "bad number", "negative"],
)
def test_a_damaged_tar_is_refused(damaged: bytes) -> None:
    """Nothing is published of a layer that cannot be understood."""
    with pytest.raises(ValueError, match="its tar"):
        clamped(damaged)


def test_gzip_is_read_in_members_and_pieces_and_written_the_same_each_time() -> None:
    """Several members, padding and any chunks; the result has no name and no time."""
    late = tar_of(iter([LATE_S] * 99), tarfile.PAX_FORMAT)
    blob = gzip.compress(late[:5000]) + gzip.compress(late[5000:]) + bytes(7)
    for chunk_bytes in (1, 777, len(blob)):
        chunks = [blob[at : at + chunk_bytes] for at in range(0, len(blob), chunk_bytes)]
        assert b"".join(clamped_tar(chunks, GZIP, EPOCH_S)) == clamped(late)
    packed = b"".join(gzip_of([late[:5000], late[5000:]]))
    assert packed == b"".join(gzip_of([late]))
    assert packed[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00" + packed[8:10]
    assert gzip.decompress(packed) == late


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-9], lambda b: b[:50] + b"?" + b[51:], lambda b: b"", lambda b: b"{}"]
)
def test_a_damaged_gzip_is_refused(damage: Callable[[bytes], bytes]) -> None:
    """Cut short, a byte flipped, empty, or something else altogether."""
    blob = gzip.compress(tar_of(iter([EARLY_S] * 99), tarfile.PAX_FORMAT))
    with pytest.raises(ValueError, match="gzip"):
        list(clamped_tar([damage(blob)], GZIP, EPOCH_S))


def test_memory_stays_bounded_whatever_is_compressed() -> None:
    """A few bytes can stand for gigabytes: no piece is larger than 2 MiB."""
    zeros = tarfile.TarInfo("zeros")
    zeros.size = 64 << 20
    tar = zeros.tobuf(tarfile.PAX_FORMAT) + bytes(zeros.size + 1024)
    pieces = [len(piece) for piece in clamped_tar([gzip.compress(tar, 9)], GZIP, EPOCH_S)]
    assert sum(pieces) == len(tar)
    assert max(pieces) <= 2 << 20


def test_random_bytes_survive_compression() -> None:
    """What does not compress comes back as it was, too."""
    noise = random.Random(5).randbytes(3 << 20)
    packed = b"".join(gzip_of([noise]))
    assert zlib.decompress(packed, 31) == noise
    assert len(packed) < len(noise) * 1.001


def test_other_compressions_are_left_alone() -> None:
    """zstd and what nobody knows stay as the builder made them."""
    assert is_clampable(GZIP)
    assert is_clampable(PLAIN)
    assert is_clampable("application/vnd.docker.image.rootfs.diff.tar.gzip")
    assert not is_clampable("application/vnd.oci.image.layer.v1.tar+zstd")
    assert not is_clampable("application/vnd.in-toto+json")
