"""Two builds of one image, compared: for people, and for machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestrator.model.event import RunFinished
from orchestrator.model.reproduction import (
    Aspect,
    AspectDifference,
    Build,
    Comparison,
    ConfigDifference,
    FileDifference,
    LayerDifference,
    Remedy,
    Reproduction,
)
from orchestrator.model.time import rfc3339
from orchestrator.render.json import FORMAT, Object
from orchestrator.render.style import Style
from orchestrator.render.words import counted, duration_words, listed_up_to, short

#: Files of one layer, and values of one configuration, that are listed without being asked for.
MOST_SHOWN = 20
#: Paths that a remedy is named for.
_MOST_NAMED = 3

#: Remedy → what usually helps. Every constant is here.
REMEDIES: Mapping[Remedy, str] = {
    Remedy.LOGS: "A log says when it was written. Delete it in the RUN that leaves it: "
    "`find /var/log -type f -delete`.",
    Remedy.APT_LISTS: "`rm -rf /var/lib/apt/lists/*` at the end of the RUN that updates them.",
    Remedy.LDCONFIG: "`rm -f /var/cache/ldconfig/aux-cache`: it holds times, and ldconfig makes it "
    "again.",
    Remedy.CACHES: "Caches and backup copies are no content: `apt-get clean`, `rm -rf /var/cache/* "
    "/var/lib/dpkg/*-old /etc/*-` in the same RUN; or `RUN --mount=type=cache`, which keeps a "
    "cache out of the image.",
    Remedy.LANGUAGE_CACHES: "`pip install --no-cache-dir`, `npm cache clean --force` in the same "
    "RUN, or `RUN --mount=type=cache`: a cache is no content.",
    Remedy.BYTECODE: "Bytecode holds the time of its source. `ENV PYTHONDONTWRITEBYTECODE=1`; or "
    "compile with SOURCE_DATE_EPOCH set, as `ARG SOURCE_DATE_EPOCH` does: Python then checks "
    "its bytecode by a hash.",
    Remedy.LOCALES: "The archive follows the order of a directory. Take C.UTF-8, or `localedef "
    "--no-archive`, which writes one file for each locale.",
    Remedy.MACHINE_ID: "It is one machine's: `: > /etc/machine-id` and `rm -f "
    "/var/lib/dbus/machine-id`; each container gets its own when it needs one.",
    Remedy.ACCOUNTS: "useradd writes the day of the password: `SOURCE_DATE_EPOCH=86400 useradd …`.",
    Remedy.HOST_KEYS: "A key in an image is everybody's: `rm -f /etc/ssh/ssh_host_*`, and make "
    "keys when the container starts.",
    Remedy.TEMPORARY: "Delete it in the RUN that leaves it, or `RUN --mount=type=tmpfs,target=/tmp`"
    ".",
    Remedy.ARCHIVES: "Archives hold times and the order of a directory: `gzip -n`; `tar "
    "--sort=name --mtime=@$SOURCE_DATE_EPOCH --owner=0 --group=0`; `zip -X` and `ar D` with "
    "sorted names.",
    Remedy.TIMES: "Something sets a time that is earlier than SOURCE_DATE_EPOCH. Leave times "
    "alone: later ones are set back to it; or `touch -d @$SOURCE_DATE_EPOCH`.",
    Remedy.ORDER: "Files are taken in the order in which a directory happens to list them: sort "
    "their names.",
    Remedy.UNKNOWN: "Nothing usual has these names. Look for the time of day (declare `ARG "
    "SOURCE_DATE_EPOCH` and take that), random numbers, downloads without a version, the order "
    "of a directory, and work that is done in parallel.",
}


def reproduction_text(found: Reproduction, style: Style, *, every: bool = False) -> str:
    """Return whether two builds gave the same, and where not: layers, files, what usually helps.

    Args:
        found: the comparison.
        style: how it may look.
        every: list all files that differ.
    """
    image = style.clean(found.image)
    platforms = counted(len(found.platforms), "platform")
    took = " and ".join(map(duration_words, found.durations_s))
    how = (
        f"Built twice without the cache, in {took}. Times of files later than "
        f"{rfc3339(found.source_epoch_s)} are set back to it, and do not count."
    )
    about = [style.dim(line) for line in style.wrap(how)]
    if found.is_equal:
        lines = [style.good(f"{image} comes out the same on {platforms}."), *about]
        if not found.declared:
            note = "`reproducible: false` can go from the hierarchy file: it keeps equal builds "
            note += "from being recognised."
            lines += [style.note(line) for line in style.wrap(note)]
        return "\n".join(lines) + "\n"
    lines = [style.bad(f"{image} comes out differently each time."), *about]
    for each in found.platforms:
        lines += ["", *_platform(each, style, every=every)]
    if helps := _helps(found, style):
        lines += ["", style.bold("What usually helps"), *helps]
    return "\n".join(lines) + "\n"


def _platform(found: Comparison, style: Style, *, every: bool) -> list[str]:
    if found.is_equal:
        return [f"{style.bold(style.clean(found.platform))}: {style.good('the same')}"]
    lines = [style.bold(style.clean(found.platform))]
    for layer in found.layers:
        lines += _layer(layer, style, every=every)
    if found.config:
        lines.append("  configuration")
        shown = found.config if every else found.config[:MOST_SHOWN]
        for value in shown:
            lines += style.wrap(_value(value), first="    ", then="      ")
        lines += _more(len(found.config) - len(shown), "value", style)
    return lines


def _layer(layer: LayerDifference, style: Style, *, every: bool) -> list[str]:
    made = f": {short(layer.instruction)}" if layer.instruction else ""
    lines = style.wrap(f"layer {layer.number}{made}", first="  ", then="    ")
    if layer.unread:
        text = f"is {layer.unread}, which cannot be compared file by file"
        return [*lines, *style.wrap(text, first="    ", then="      ")]
    if not layer.first or not layer.second:
        there = Build.FIRST if layer.first else Build.SECOND
        return [*lines, f"    is only in the {there} build"]
    shown = layer.files if every else layer.files[:MOST_SHOWN]
    for file in shown:
        lines += style.wrap(f"/{file.path}  {_what(file)}", first="    ", then="      ")
    lines += _more(len(layer.files) - len(shown), "file", style)
    if layer.reordered:
        lines.append("    files of both builds stand in another order")
    elif not layer.files:
        lines.append("    the same files: only bytes between them differ")
    return lines


def _more(count: int, what: str, style: Style) -> list[str]:
    if count <= 0:
        return []
    return [style.dim(f"    and {counted(count, f'more {what}')}; --all lists them")]


def _what(file: FileDifference) -> str:
    if file.only_in is not None:
        return f"only in the {file.only_in} build"
    return ", ".join(map(_aspect, file.aspects))


def _aspect(found: AspectDifference) -> str:
    if found.aspect is Aspect.CONTENT and found.first and found.second:
        return "content"  # Whose digests would tell nobody anything.
    word = "time" if found.aspect is Aspect.MTIME else str(found.aspect)
    return f"{word} {short(found.first) or 'none'} → {short(found.second) or 'none'}"


def _value(found: ConfigDifference) -> str:
    return f"{found.where}  {short(found.first) or 'none'} → {short(found.second) or 'none'}"


def remedies(found: Iterable[Comparison]) -> dict[Remedy, list[str]]:
    """Return what usually helps → the paths that it helps with, each once; the usual ones first."""
    paths: dict[Remedy, dict[str, None]] = {remedy: {} for remedy in Remedy}
    for comparison in found:
        for layer in comparison.layers:
            for file in layer.files:
                paths[file.remedy][f"/{file.path}"] = None
            if layer.reordered:
                paths[Remedy.ORDER][f"layer {layer.number}"] = None
    return {remedy: list(those) for remedy, those in paths.items() if those}


def _helps(found: Reproduction, style: Style) -> list[str]:
    lines: list[str] = []
    for remedy, paths in remedies(found.platforms).items():
        lines += style.wrap(listed_up_to(paths, _MOST_NAMED), first="  ", then="    ")
        lines += [
            style.note(line) for line in style.wrap(REMEDIES[remedy], first="    ", then="    ")
        ]
    return lines


def reproduction_json(
    image: str, found: Reproduction | None, finished: RunFinished, *, every: bool = False
) -> Object:
    """Return the comparison as a JSON object.

    Args:
        image: image id.
        found: the comparison; None: it was never made.
        finished: the end of both builds.
        every: list all files that differ, and not the first of each layer.
    """
    failure = next((result.failure for result in finished.results if result.failure), None)
    return {
        "format": FORMAT,
        "kind": "reproduction",
        "image": image,
        "state": str(finished.run.state),
        "equal": found.is_equal if found else None,
        "source_date_epoch": rfc3339(found.source_epoch_s) if found else None,
        "durations_s": list(found.durations_s) if found else [],
        "platforms": [_comparison(each, every=every) for each in found.platforms] if found else [],
        "remedies": [
            {
                "remedy": str(remedy),
                "paths": paths if every else paths[:MOST_SHOWN],
                "text": REMEDIES[remedy],
            }
            for remedy, paths in remedies(found.platforms if found else ()).items()
        ],
        "failure": None
        if failure is None
        else {
            "cause": str(failure.cause),
            "what": failure.what,
            "hint": failure.hint,
            "log_tail": list(failure.log_tail),
            "log_path": failure.log_path,
        },
        "duration_s": finished.duration_s,
    }


def _comparison(found: Comparison, *, every: bool) -> Object:
    return {
        "platform": found.platform,
        "equal": found.is_equal,
        "own_layers": found.own_layers,
        "layers": [
            {
                "number": layer.number,
                "instruction": layer.instruction,
                "first": layer.first,
                "second": layer.second,
                "unread": layer.unread or None,
                "reordered": layer.reordered,
                "files_total": len(layer.files),
                "files": [
                    _file(file) for file in (layer.files if every else layer.files[:MOST_SHOWN])
                ],
            }
            for layer in found.layers
        ],
        "config": [
            {"where": value.where, "first": value.first or None, "second": value.second or None}
            for value in found.config
        ],
    }


def _file(file: FileDifference) -> Object:
    return {
        "path": f"/{file.path}",
        "only_in": file.only_in and str(file.only_in),
        "differs": {
            str(each.aspect): {"first": each.first, "second": each.second} for each in file.aspects
        },
        "remedy": str(file.remedy),
    }
