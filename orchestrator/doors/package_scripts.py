"""What is run in a container so that its package manager tells what it has and what is newer.

Every part of the output stands between marks that carry a word which nobody in the container can
know beforehand, and ends with the exit code of its command.
"""

from __future__ import annotations

from types import MappingProxyType

#: Where the programs are; whatever the image sets, and a library that it preloads, stays out.
_PREAMBLE = """\
exec 3<&0 </dev/null 2>&1
# Standard input stays open as long as somebody waits: at its end everything stops.
if command -v cat >/dev/null; then
  { cat <&3 >/dev/null; kill -9 -1; } >/dev/null 2>&1 &
fi
exec 3<&-
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
unset LD_PRELOAD LD_LIBRARY_PATH
mark() { printf '\\n@%s %s\\n' "WORD" "$*"; }
need() {
  for program; do
    command -v "$program" >/dev/null || { mark missing "$program"; exit 0; }
  done
}
part() {
  name=$1; shift
  mark begin "$name"
  "$@"
  code=$?
  mark end "$name" "$code"
  [ "$code" -eq 0 ] || exit 0
}
"""

_INSTALLED = MappingProxyType(
    {
        "apt": """\
need dpkg-query dpkg
part architecture dpkg --print-architecture
part installed dpkg-query --show \
  --showformat='${Package} ${Architecture} ${Version} ${db:Status-Abbrev}\\n'
""",
        "apk": """\
need apk
part installed apk info --verbose
""",
        "dnf": """\
need rpm
part architecture uname -m
part installed rpm -qa --queryformat '%{NAME} %{ARCH} %{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n'
""",
    }
)

_PENDING = MappingProxyType(
    {
        # Without a parsed cache every call parses the lists again, for half a minute if emulated.
        "apt": """\
need apt-get
apt_get() {
  apt-get -o Dir::Cache::pkgcache=pkgcache.bin -o Dir::Cache::srcpkgcache=srcpkgcache.bin \\
    -o Acquire::Languages=none -o Acquire::Retries=2 -o Acquire::http::Timeout=30 \\
    -o Acquire::https::Timeout=30 -o APT::Update::Error-Mode=any "$@"
}
part update apt_get -q update
part sources apt_get indextargets --format '$(URI)' 'Created-By: Packages'
part updates apt_get -q --simulate dist-upgrade
""",
        "apk": """\
sources() { cat /etc/apk/repositories /etc/apk/repositories.d/*.list 2>/dev/null; return 0; }
part sources sources
part update apk --no-progress update
part updates apk --no-progress upgrade --simulate --no-self-upgrade
""",
        "dnf": """\
need dnf
# A source that cannot be read is an error, not a source without updates.
dnf_q() { dnf -q -y --setopt='*.skip_if_unavailable=False' "$@"; }
part sources dnf_q repolist
part update dnf_q --refresh makecache
form='=%{name} %{arch} %{epoch}:%{version}-%{release}
'
part updates dnf_q repoquery --upgrades --latest-limit=1 --qf "$form"
# Where no source says what is a security fix, this one fails.
security() { dnf_q repoquery --upgrades --latest-limit=1 --security --qf "$form" || return 0; }
part security security
""",
    }
)

MANAGERS = tuple(_PENDING)


def script(manager: str, word: str, *, pending: bool) -> str:
    """Return the script for ``/bin/sh``.

    Args:
        manager: ``apt``, ``apk`` or ``dnf``.
        word: of letters and digits, which marks are known by.
        pending: also ask for updates, which needs a network.
    """
    asked = _PENDING[manager] if pending else ""
    return _PREAMBLE.replace("WORD", word) + _INSTALLED[manager] + asked + "mark done\nexit 0\n"
