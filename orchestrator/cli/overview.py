"""What `orchestrate --help` says, and the tables that the parser is made of too.

Imports nothing: click alone costs as much as everything else that help needs, and help must be
quick. The page cannot drift from the parser because both come from these tables; a test compares
what is left.
"""

from __future__ import annotations

#: Command → what it does in one line, under the headings of the page.
HEADINGS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Before a run",
        (
            ("init", "Write a hierarchy.yaml for Dockerfiles that are there."),
            ("check", "Check the hierarchy file and the Dockerfiles; needs no network."),
            ("plan", "Show what a run would do, and why; writes nothing."),
            ("status", "Show what is published, and how far behind it is."),
            ("why", "Explain why an image would be built, or why not."),
            ("graph", "Draw what stands on what: as a tree, Mermaid or dot."),
            ("reproduce", "Build an image twice; say what differs, and what helps."),
            ("doctor", "Look at everything a build needs; say how to mend it."),
        ),
    ),
    (
        "A run",
        (
            ("build", "Build, check and publish whatever changed."),
            ("patch", "The nightly run: upstreams, packages, and what needs it."),
            ("apply", "Carry out a plan that was saved."),
            ("resume", "Bring a run to its end that was killed or stopped."),
            ("promote", "Move floating tags to what a run held."),
            ("rollback", "Put floating tags back where a run found them."),
            ("adopt", "Record what is published already as current."),
        ),
    ),
    (
        "After a run",
        (
            ("digests", "List what is stored, and what protects it."),
            ("diff", "Show what is different between two digests of an image."),
            ("history", "List past runs."),
            ("show", "Show one run: images, digests, tags, failures."),
            ("log", "Print the log of an image's build, also while it runs."),
        ),
    ),
    (
        "Teams",
        (
            ("subscribe", "Write down what a team wants to hear of, and where."),
            ("subscriptions", "Show who hears of what, and where that is said."),
            ("notify", "Send notices that wait; list them, try receivers."),
        ),
    ),
    (
        "About",
        (
            ("config", "Show every setting and image field, and where it is from."),
            ("completion", "Print what makes a shell complete commands and images."),
            ("schema", "Print a JSON Schema: of the hierarchy file, or of a plan."),
            ("version", "Print the version."),
        ),
    ),
)

COMMANDS: dict[str, str] = {name: does for _, group in HEADINGS for name, does in group}

#: Options of every command: (parameter, flags, metavar, choices, variable, help). An option
#: without a metavar takes no value.
OPTIONS: tuple[tuple[str, tuple[str, ...], str, tuple[str, ...], str, str], ...] = (
    ("directory", ("-C", "--directory"), "DIR", (), "", "Start in DIR instead of here."),
    (
        "file",
        ("-f", "--file"),
        "FILE",
        (),
        "ORCHESTRATE_FILE",
        "Hierarchy file; else hierarchy.yaml here or above.",
    ),
    (
        "registry",
        ("--registry",),
        "REPOSITORY",
        (),
        "ORCHESTRATE_REGISTRY",
        "Takes the place of the file's registry.",
    ),
    (
        "state",
        ("--state",),
        "PLACE",
        (),
        "ORCHESTRATE_STATE",
        "History's place: a file, or a postgresql:// address.",
    ),
    (
        "color",
        ("--color",),
        "WHEN",
        ("auto", "always", "never"),
        "ORCHESTRATE_COLOR",
        "auto, always or never.",
    ),
    (
        "progress",
        ("--progress",),
        "HOW",
        ("auto", "live", "plain", "none"),
        "ORCHESTRATE_PROGRESS",
        "auto, live (needs a terminal), plain or none.",
    ),
    (
        "output",
        ("-o", "--output"),
        "FORM",
        ("text", "json", "markdown", "mermaid", "dot"),
        "",
        "text or json; some commands have more.",
    ),
    ("quiet", ("-q", "--quiet"), "", (), "", "Nothing but errors, where the exit code tells it."),
    ("verbose", ("-v", "--verbose"), "", (), "", "Say more, and log to standard error."),
)

EXIT_CODES: tuple[tuple[str, str], ...] = (
    ("0", "done, or nothing to do"),
    ("1", "a build or a publication failed"),
    ("2", "the command line is wrong"),
    ("3", "a file is wrong: the hierarchy, a Dockerfile, a saved plan"),
    ("4", "stale, locked or conflicting: somebody else was here"),
    ("5", "something needed is not available: registry, engine, disk"),
    ("10", "plan --detailed-exitcode: there is something to do"),
    ("130, 143", "stopped by SIGINT, SIGTERM"),
)

EXAMPLES: tuple[tuple[str, str], ...] = (
    ("orchestrate plan", "what would be built now, and why"),
    ("orchestrate build --because 'CVE-2026-1234'", "do it"),
    ("orchestrate COMMAND --help", "its options and examples"),
)


def overview() -> str:
    """Return the page that `orchestrate --help` prints, at most 80 columns wide."""
    lines = [
        "Usage: orchestrate [OPTIONS] COMMAND [ARGUMENTS]",
        "",
        "Build, publish and rebuild a hierarchy of container images: in order, for",
        "every platform, and only where something changed.",
        "",
    ]
    for heading, commands in HEADINGS:
        lines += [f"{heading}:", *(f"  {name:<14}{does}" for name, does in commands), ""]
    lines += ["Options, before or after the command:"]
    for _, flags, metavar, _, _, help_text in OPTIONS:
        lines += [f"  {', '.join(flags) + ' ' + metavar:<23}  {help_text}"]
    lines += [f"  {'--version':<23}  Print the version.", f"  {'-h, --help':<23}  Print this.", ""]
    variables = [variable for *_, variable, _ in OPTIONS if variable]
    lines += [
        "Variables, weaker than options and stronger than the file:",
        f"  {', '.join(variables[:3])},",
        f"  {', '.join(variables[3:])}",
        "",
        "Exit codes:",
        *(f"  {code:<12}{means}" for code, means in EXIT_CODES),
        "",
        "Examples:",
        *(f"  {line:<43}  {means}" for line, means in EXAMPLES),
        "",
    ]
    return "\n".join(lines)
