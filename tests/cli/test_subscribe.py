"""`orchestrate subscribe` and `orchestrate subscriptions`: what is written, checked and shown."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.load.team_file import extended_text, new_text
from orchestrator.observe.load_files import load_files
from tests.cli.processes import REAL, started
from tests.cli.stage import Stage


def hook(team: str) -> tuple[str, ...]:
    """Return the options of a webhook with a secret of the team's own."""
    url = "https://ci.example/hooks/gold?token=hunter22"
    return ("--webhook", url, "--secret", f"env:{team.upper()}_KEY")


@pytest.fixture
def gold(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """The sample, with a mail server and feeds, and the user in its directory."""
    stage.world.head = stage.world.head.replace(
        "images:\n",
        "mail: {host: mail.example.org, from: gold@example.org, user: me, password: env:SMTP}\n"
        "feeds: {directory: public}\nimages:\n",
    )
    stage.world.write()
    stage.write()
    monkeypatch.chdir(stage.directory)
    return stage


@pytest.fixture
def trusting(gold: Stage) -> Stage:
    """The same, where teams' files may say everything."""
    gold.world.head = gold.world.head.replace("images:\n", "trust_team_files: true\nimages:\n")
    gold.world.write()
    gold.write()
    return gold


def subscribe(stage: Stage, *argv: str) -> tuple[int, str, str]:
    """Run `subscribe` in the stage's directory."""
    ran = stage.run("subscribe", *argv, inside=False)
    return ran.code, ran.out, ran.err


def test_a_new_file_says_what_was_asked_for(gold: Stage) -> None:
    """It is checked before it is written, and what it means now is said, without secrets."""
    code, out, err = subscribe(
        gold, "payments", "--image", "+gunicorn", "--event", "image.published", "--event",
        "image.failed", "--change", "security", "--batch", "image", *hook("payments"), "--email",
        "a@b.example",
    )  # fmt: skip
    assert code == 0
    how = "if known security issues are fixed; one message for each image"
    assert out.splitlines() == [
        "payments hears of 3 images now: base, python and gunicorn.",
        f"Of image.published and image.failed; {how}.",
        "By webhook: https://ci.example/hooks/gold?*** (with env:PAYMENTS_KEY).",
        "By email: a@b.example (with env:SMTP).",
    ]
    assert err.splitlines() == [
        "wrote subscriptions/payments.yaml",
        "to try it: orchestrate notify test payments",
    ]
    assert Path("subscriptions/payments.yaml").read_text() == (
        "team: payments\n"
        "subscriptions:\n"
        '  - images: ["+gunicorn"]\n'
        "    events: [image.published, image.failed]\n"
        "    change: security\n"
        "    batch: image\n"
        '    webhook: {url: "https://ci.example/hooks/gold?token=hunter22", '
        'secret: "env:PAYMENTS_KEY"}\n'
        '    email: {to: ["a@b.example"]}\n'
    )


def test_every_option_arrives_in_the_file(trusting: Stage) -> None:
    """And the file is good."""
    code, _, err = subscribe(
        trusting, "web", "--image", "web", "--image", "tier:*", "--tag", "1*", "--mute-until",
        "2030-01-01", "--webhook", "env:URL", "--secret", "env:A", "--secret", "file:b",
        "--allow-internal", "--slack", "env:T", "--slack-channel", "#gold", "--feed",
        "--command", "./notify 'a b' --team=web", "--apprise", "env:X",
    )  # fmt: skip
    assert code == 0, err
    assert yaml.safe_load(Path("subscriptions/web.yaml").read_text())["subscriptions"] == [
        {
            "images": ["web", "tier:*"],
            "events": ["image.published"],
            "tags": ["1*"],
            "mute_until": "2030-01-01",
            "webhook": {"url": "env:URL", "secret": ["env:A", "file:b"], "allow_internal": True},
            "slack": {"channel": "#gold", "token": "env:T"},
            "feed": "team",
            "command": {"run": ["./notify", "a b", "--team=web"]},
            "apprise": "env:X",
        }
    ]


def test_a_file_that_is_there_keeps_what_it_says(gold: Stage) -> None:
    """Comments and spelling too; the new subscription comes behind the others."""
    before = (
        "# ours\nteam:   web  # since 2019\nsubscriptions:\n- images:\n  - base\n"
        "  events: [tag.moved]  # only these\n  apprise: 'env:WEB_A'"
    )
    Path("subscriptions").mkdir()
    Path("subscriptions/web.yaml").write_text(before)
    assert subscribe(gold, "web", "--image", "nginx", "--feed")[0] == 0
    assert Path("subscriptions/web.yaml").read_text() == (
        f"{before}\n- images: [nginx]\n  events: [image.published]\n  feed: team\n"
    )


@pytest.mark.parametrize(
    "before",
    ["team: web\nsubscriptions: []\n", "team: web\nsubscriptions:  [ ]  # none yet\n",
     "subscriptions: []\nteam: web\n", "\ufeffteam: web\r\nsubscriptions: []\r\n"],
)  # fmt: skip
def test_the_first_subscription_of_a_file(gold: Stage, before: str) -> None:
    """A list that was empty is one with an item."""
    Path("subscriptions").mkdir()
    Path("subscriptions/web.yaml").write_bytes(before.encode())
    assert subscribe(gold, "web", "--image", "nginx", "--feed")[0] == 0
    (found,) = gold.run("subscriptions", "web", "-o", "json").data["subscriptions"]
    assert (found["team"], found["images"]) == ("web", ["nginx"])


def test_what_is_there_already_is_not_written_again(gold: Stage) -> None:
    """In whichever order it was said."""
    subscribe(gold, "web", "--image", "web", "--image", "base", "--feed")
    subscribe(gold, "web", "--image", "docs", "--feed")
    file = Path("subscriptions/web.yaml")
    before = file.read_bytes(), file.stat().st_ino
    code, out, err = subscribe(gold, "web", "--image", "base", "--image", "web", "--feed")
    assert (code, out.splitlines()[0]) == (0, "web hears of 2 images now: base and web.")
    assert err.startswith("subscriptions/web.yaml says so already; nothing is written\n")
    assert (file.read_bytes(), file.stat().st_ino) == before


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("--image", "bse", "--feed"), 3),
        (("--image", "base", "--apprise", "hunter22"), 3),
        (("--image", "base", "--webhook", "ftp://x", "--secret", "env:A"), 3),
        (("--image", "base", "--mute-until", "soon", "--feed"), 3),
        (("--image", "base"), 2),
        (("--image", "base", "--feed", "--slack-channel", "x"), 2),
        (("--image", "base", "--feed", "--event", "image.publishd"), 2),
    ],
)
def test_nothing_is_written_if_something_is_wrong(
    gold: Stage, argv: tuple[str, ...], code: int
) -> None:
    """Neither a new file nor more in one that is there, nor the directory."""
    assert subscribe(gold, "web", *argv)[0] == code
    assert not Path("subscriptions").exists()
    assert subscribe(gold, "web", "--image", "base", "--feed")[0] == 0
    before = Path("subscriptions/web.yaml").read_bytes()
    assert subscribe(gold, "web", *argv)[0] == code
    assert Path("subscriptions/web.yaml").read_bytes() == before
    assert os.listdir("subscriptions") == ["web.yaml"]


def test_a_mistake_is_told_where_it_would_stand(gold: Stage) -> None:
    """On the line of the team's file, as far as its text can be read."""
    file = Path("subscriptions/web.yaml")
    assert subscribe(gold, "web", "--image", "base", "--feed")[0] == 0
    for text, line in ((file.read_text(), 6), ("team: web\nsubscriptions: [{}]\n", 3)):
        file.write_text(text)
        code, _, err = subscribe(gold, "web", "--image", "bse", "--feed")
        assert code == 3
        assert err.startswith(f"nothing is written:\nsubscriptions/web.yaml:{line}:14: error[UNK")
        assert err.endswith("1 error in subscriptions/web.yaml.\n")


def test_nothing_is_written_if_something_else_is_wrong(gold: Stage) -> None:
    """Another team's file for example: nobody can tell what all of it would mean."""
    Path("subscriptions").mkdir()
    Path("subscriptions/ops.yaml").write_text("team: opps\nsubscriptions: []\n")
    code, _, err = subscribe(gold, "web", "--image", "base", "--feed")
    assert (code, os.listdir("subscriptions")) == (3, ["ops.yaml"])
    assert err.startswith("nothing is written:\nsubscriptions/ops.yaml:1:7: error[OTHER-TEAM]")


@pytest.mark.parametrize("where", ["symlink", "read-only"])
def test_a_file_that_nobody_would_read_or_that_cannot_be_written(gold: Stage, where: str) -> None:
    """An error with a way out, and nothing half done."""
    if where == "symlink":
        Path("elsewhere").mkdir()
        Path("subscriptions").symlink_to("elsewhere")
    else:
        Path("subscriptions").mkdir()
        Path("subscriptions/web.yaml").mkdir()
    code, out, err = subscribe(gold, "web", "--image", "base", "--feed")
    assert (code, out) == (3 if where == "symlink" else 5, "")
    assert "hint: " in err
    assert sorted(path for path in Path("elsewhere").glob("*")) == []


def test_what_would_be_written_can_be_looked_at(gold: Stage) -> None:
    """The whole file, on standard output; and as JSON."""
    argv = ("web", "--image", "base", "--feed", "--stdout")
    text = "team: web\nsubscriptions:\n  - images: [base]\n    events: [image.published]\n"
    assert subscribe(gold, *argv) == (0, f"{text}    feed: team\n", "")
    data = gold.run("subscribe", *argv, "-o", "json", inside=False).data
    assert (data["kind"], data["written"], data["already"]) == ("subscribe", False, False)
    assert data["text"] == f"{text}    feed: team\n"
    assert data["subscription"]["images"] == ["base"]
    assert not Path("subscriptions").exists()


def test_it_is_written_beside_the_hierarchy_wherever_the_user_stands(gold: Stage) -> None:
    """Below it, and from elsewhere."""
    os.chdir("base")
    assert subscribe(gold, "web", "--image", "base", "--feed")[2].startswith(
        "wrote ../subscriptions/web.yaml\n"
    )
    os.chdir("/")
    file = str(gold.directory / "hierarchy.yaml")
    assert subscribe(gold, "ops", "--image", "base", "--feed", "-f", file)[0] == 0
    assert sorted(os.listdir(gold.directory / "subscriptions")) == ["ops.yaml", "web.yaml"]


def test_what_means_no_image_is_warned_of(gold: Stage) -> None:
    """It may come to be: a glob, a tier, a label, a tag."""
    code, out, err = subscribe(
        gold, "web", "--image", "x*", "--event", "tag.moved", "--tag", "edge", "--feed"
    )
    assert (code, out.splitlines()[0]) == (0, "web hears of 0 images now.")
    assert err.count("warning: subscriptions/web.yaml:") == 2
    assert err.count("[EMPTY-PATTERN]") == 2


TABLE = """\
TEAM   IMAGES  CHANGE    BATCH  THROUGH                 DECLARED
night       1  any       image  webhook, slack, feed,…  subscriptions/night.yaml:3
    muted until 9999-01-01
    base (base)
    of tag.moved
    of tags st*
    webhook: https://ci.example/hooks/gold?*** (with env:NIGHT_KEY)
    slack: env:HOOK
    feed: the team's, in public
    apprise: env:X
web         0  security  run    command                 subscriptions/web.yaml:3
    x* (no image)
    of image.published
    command: ./tell --url 'https://***@host/?***'
"""


def test_the_table_shows_everything_but_secrets(
    trusting: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In 80 columns: who, how many images, what, through what and where that is said."""
    monkeypatch.setenv("COLUMNS", "80")
    subscribe(trusting, "web", "--image", "x*", "--change", "security", "--command",
              "./tell --url https://me:hunter22@host/?token=hunter22")  # fmt: skip
    subscribe(trusting, "night", "--image", "base", "--event", "tag.moved", "--tag", "st*",
              "--batch", "image", "--mute-until", "9999-01-01", *hook("night"), "--slack",
              "env:HOOK", "--feed", "--apprise", "env:X")  # fmt: skip
    ran = trusting.run("subscriptions", "--color", "never", inside=False)
    assert "hunter22" not in ran.out
    lines = ran.out.splitlines()
    assert [line for line in lines if not line.startswith(("TEAM", "night", "web"))] == [
        line for line in TABLE.splitlines() if not line.startswith(("TEAM", "night", "web"))
    ]
    assert lines[1].split()[:4] == ["night", "1", "any", "image"]


def test_the_list_as_json_has_references_only(gold: Stage) -> None:
    """For programs: selectors and what they mean now, and where each secret is."""
    subscribe(gold, "web", "--image", "+nginx", *hook("web"))
    data = gold.run("subscriptions", "-o", "json", inside=False).data
    assert "hunter22" not in str(data)
    (found,) = data.pop("subscriptions")
    assert data == {"format": 1, "kind": "subscriptions"}
    receiver = found["channels"][0].pop("receiver")
    assert receiver.startswith("webhook-")
    assert found == {
        "team": "web",
        "selectors": ["+nginx"],
        "images": ["base", "web", "nginx"],
        "events": ["image.published"],
        "change": "any",
        "tags": [],
        "batch": "run",
        "mute_until": "",
        "muted": False,
        "channels": [
            {
                "kind": "webhook",
                "place": "https://ci.example/hooks/gold?***",
                "secrets": ["env:WEB_KEY"],
            }
        ],
        "file": "subscriptions/web.yaml",
        "line": 3,
    }


def test_one_team_or_nobody(gold: Stage) -> None:
    """A team is listed by its name; where there is none, the way to one is shown."""
    assert "Nobody subscribes." in gold.run("subscriptions").out
    ran = gold.run("subscriptions", "web")
    assert (ran.code, "orchestrate subscribe web" in ran.err) == (2, True)
    for team in ("web", "ops"):
        subscribe(gold, team, "--image", "base", "--feed")
    assert [s["team"] for s in gold.run("subscriptions", "-o", "json").data["subscriptions"]] == [
        "ops", "web",
    ]  # fmt: skip
    assert gold.run("subscriptions", "web").out.count("subscriptions/") == 1
    assert "did you mean ops?" in gold.run("subscriptions", "opps").err


def test_whoever_subscribed_is_in_the_plan(gold: Stage) -> None:
    """The reviewer reads who hears of it and through what; no address."""
    subscribe(gold, "web", "--image", "nginx", *hook("web"), "--feed")
    assert "Subscribed: web (1 image, by webhook and feed)." in gold.run("plan").out
    assert "web (1 image, by webhook and feed)" in gold.run("plan", "-o", "markdown").out
    ran = gold.run("plan", "-o", "json")
    assert ran.data["told"] == [
        {"team": "web", "images": ["nginx"], "channels": ["webhook", "feed"]}
    ]
    assert "ci.example" not in ran.out


ENTRIES = st.fixed_dictionaries(
    {
        "images": st.just(["base"]),
        "events": st.lists(
            st.sampled_from(["image.published", "tag.moved"]), min_size=1, unique=True
        ),
        "command": st.fixed_dictionaries(
            {"run": st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1)}
        ),
    }
)


WORDS = {"images": ["on", "no"], "events": ["y"], "command": {"run": ["null", "yes", "~", "1"]}}


@settings(deadline=None)
@example(WORDS, WORDS, "")
@given(ENTRIES, ENTRIES, st.sampled_from(["", "# note\n", "\n\n"]))
def test_what_is_put_behind_a_file_is_what_was_meant(
    one: dict[str, list[str]], other: dict[str, list[str]], end: str
) -> None:
    """Whatever the words: a YAML parser of others reads both, as they were given."""
    text = extended_text(new_text("web", one) + end, other)
    try:
        said = yaml.safe_load(text)
    except yaml.YAMLError:
        return  # a control character, which the loader refuses by name
    assert said == {"team": "web", "subscriptions": [one, other]}


def test_of_two_at_once_none_is_lost(gold: Stage) -> None:
    """Whoever comes second reads what the first one wrote, and puts its own behind it."""
    argv = (*REAL, "-C", str(gold.directory), "subscribe", "web", "--image", "nginx", "--feed")
    first = os.open(gold.directory, os.O_RDONLY)
    try:
        fcntl.flock(first, fcntl.LOCK_EX)
        with started(*argv) as second:
            second.wait_for("waiting: ")
            with pytest.raises(subprocess.TimeoutExpired):
                second.end(0.7)  # It waits for ever; one that does not has ended by then.
            Path("subscriptions").mkdir()
            text = new_text("web", {"images": ["base"], "events": ["tag.moved"], "feed": "team"})
            Path("subscriptions/web.yaml").write_text(text)
            fcntl.flock(first, fcntl.LOCK_UN)
            assert second.end().code == 0
    finally:
        os.close(first)
    found = gold.run("subscriptions", "-o", "json").data["subscriptions"]
    assert [each["selectors"] for each in found] == [["base"], ["nginx"]]


def test_the_story_of_a_team(gold: Stage) -> None:
    """It subscribes, everything loads, and the next command knows of it."""
    assert subscribe(gold, "web", "--image", "+docs", "--feed")[0] == 0
    assert gold.run("check").code == 0
    files = gold.directory / "hierarchy.yaml"
    from orchestrator.doors.files import RealFiles

    assert [each.team for each in load_files(RealFiles(files)).subscriptions] == ["web"]
