"""`orchestrate completion`: the shell's part of completing what is typed."""

from __future__ import annotations

from importlib.resources import files

import click

from orchestrator.cli.command import command
from orchestrator.cli.session import Session
from orchestrator.cli.streams import write_out

_SCRIPTS = {"bash": "bash.sh", "zsh": "zsh.zsh", "fish": "fish.fish"}


@command(
    "completion",
    forms=("text",),
    about="""Print what makes SHELL complete commands, options, images, selectors and runs.

    Names are those of the hierarchy file at hand and of past runs, without asking a registry.

    \b
    bash  add to ~/.bashrc:
          eval "$(orchestrate completion bash)"
    zsh   add to ~/.zshrc, behind compinit:
          eval "$(orchestrate completion zsh)"
    fish  once:
          orchestrate completion fish \\
            > ~/.config/fish/completions/orchestrate.fish
    """,
    examples=(
        ("orchestrate completion bash", "for ~/.bashrc"),
        ("orchestrate completion zsh", "for ~/.zshrc"),
        ("orchestrate completion fish", "for a file in ~/.config/fish/completions"),
    ),
)
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice(tuple(_SCRIPTS)))
def completion(session: Session, shell: str) -> int:
    """Print a file of the package."""
    script = files("orchestrator.cli").joinpath("shells", _SCRIPTS[shell])
    return write_out(script.read_text("utf-8"))
