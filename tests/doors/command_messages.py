"""Real messages: what commands inside builds write before they fail, and what it means.

See :mod:`tests.doors.buildx_messages`. apt 2.6, curl 7.88, GNU wget 1.21, git 2.39, npm and pip
met a server that fails as asked on this machine, busybox met it inside a build.
"""

from __future__ import annotations

from orchestrator.model.run import FailureCause as Cause
from tests.doors.buildx_messages import HERE, messages

#: What commands wrote last before they failed.
OUTPUT = (
    *messages(Cause.DISK_FULL, False, HERE, "dd: error writing 'x': No space left on device"),
    *messages(Cause.COMMAND, False, HERE, "exec /bin/sh: exec format error"),
    *messages(
        Cause.COMMAND,
        True,
        HERE,
        "curl: (6) Could not resolve host: nosuch.invalid",
        "curl: (7) Failed to connect to 127.0.0.1 port 5999 after 0 ms: Couldn't connect to server",
        "curl: (22) The requested URL returned error: 503",
        "curl: (22) The requested URL returned error: 429",
        "curl: (28) Operation timed out after 2000 milliseconds with 0 bytes received",
        "curl: (52) Empty reply from server",
        "curl: (56) Recv failure: Connection reset by peer",
        "Connecting to 127.0.0.1:5999... failed: Connection refused.",
        "wget: unable to resolve host address \u2018nosuch.invalid\u2019",
        "2026-11-22 12:40:45 ERROR 503: Service Unavailable.",
        "HTTP request sent, awaiting response... Read error (Connection timed out) in headers.",
        "wget: bad address 'nosuch.invalid'",
        "wget: server returned error: HTTP/1.1 503 Service Unavailable",
        "wget: error getting response: Connection reset by peer",
        "wget: can't connect to remote host (172.17.0.1): Connection refused",
        "fatal: unable to access 'http://nosuch.invalid/x.git/': Could not resolve host: "
        "nosuch.invalid",
        "fatal: unable to access 'http://127.0.0.1:5990/x.git/': The requested URL returned error: "
        "503",
        "fatal: unable to access 'http://127.0.0.1:5990/x.git/': Recv failure: Connection reset by "
        "peer",
        "127.0.0.1[0: 127.0.0.1]: errno=Connection refused",
        "ssh: connect to host 127.0.0.1 port 5999: Connection refused",
        "npm error code ECONNREFUSED",
        "npm error code ENOTFOUND",
        "npm error code ECONNRESET",
        "npm error 503 Service Unavailable - GET http://127.0.0.1:5990/v2/head-503/x",
        "npm error code E429",
        "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) "
        "after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTP"
        "Connection object at 0x7f3def901b10>: Failed to establish a new connection: [Errno -2] "
        "Name or service not known')': /simple/nosuchpkg-xyz/",
        "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) "
        "after connection broken by 'ReadTimeoutError(\"HTTPConnectionPool(host='127.0.0.1', "
        "port=5990): Read timed out. (read timeout=3.0)\")': /x/nosuchpkg-xyz/",
        "W: Failed to fetch http://127.0.0.1:5999/dists/bookworm/InRelease  Could not connect to "
        "127.0.0.1:5999 (127.0.0.1). - connect (111: Connection refused)",
        "W: Failed to fetch http://nosuch.invalid/dists/bookworm/InRelease  Could not resolve "
        "'nosuch.invalid'",
        "W: Failed to fetch http://127.0.0.1:5990/dists/bookworm/InRelease  503  Service "
        "Unavailable [IP: 127.0.0.1 5990]",
        "W: Failed to fetch http://127.0.0.1:5990/dists/bookworm/InRelease  429  Too Many Requests "
        "[IP: 127.0.0.1 5990]",
        "W: Failed to fetch http://127.0.0.1:5990/dists/bookworm/InRelease  Connection failed [IP: "
        "127.0.0.1 5990]",
        "Temporary failure resolving 'deb.debian.org'",
        "E: Failed to fetch http://deb.debian.org/x.deb  Hash Sum mismatch",
    ),
    *messages(
        Cause.COMMAND,
        True,
        "https://github.com/gliderlabs/docker-alpine/issues/332",
        "WARNING: Ignoring http://dl-cdn.alpinelinux.org/alpine/v3.6/main/x86_64/APKINDEX.tar.gz: "
        "temporary error (try again later)",
    ),
    *messages(
        Cause.COMMAND,
        True,
        "https://github.com/furlongm/patchman/issues/548",
        "  - Curl error (28): Timeout was reached for https://repo.openbytes.ie/patchman/el8/"
        "repodata/repomd.xml [Connection timed out after 30000 milliseconds]",
    ),
    *messages(
        Cause.COMMAND,
        True,
        "https://github.com/openshift/jenkins/issues/1774",
        "  - Curl error (6): Couldn't resolve host name for https://rhsm-pulp.corp.redhat.com/"
        "content/os/repodata/repomd.xml [Could not resolve host: rhsm-pulp.corp.redhat.com]",
    ),
    *messages(
        Cause.COMMAND,
        True,
        "https://github.com/googleapis/google-cloud-cpp/issues/9448",
        "Error: Failed to download metadata for repo 'updates-modular': Cannot prepare internal "
        "mirrorlist: Status code: 503 for https://mirrors.fedoraproject.org/metalink",
    ),
    *messages(
        Cause.COMMAND,
        True,
        "https://github.com/kubernetes-sigs/kube-scheduler-simulator/issues/136",
        "go: github.com/golang/mock@v1.4.4: Get "
        '"https://proxy.golang.org/github.com/golang/mock/@v/v1.4.4.mod": dial tcp: i/o timeout',
    ),
    *messages(
        Cause.COMMAND,
        True,
        "https://github.com/ot4i/ace-docker/issues/142",
        "dial tcp: lookup proxy.golang.org on 192.168.0.1:53: read udp 172.17.0.2:36832->"
        "192.168.0.1:53: read: no route to host",
    ),
    *messages(
        Cause.COMMAND,
        False,
        HERE,
        "make: *** [all] Error 2",
        "curl: (22) The requested URL returned error: 404",
        "curl: (60) SSL certificate problem: self-signed certificate",
        "wget: server returned error: HTTP/1.1 404 Not Found",
        "2026-11-22 12:40:45 ERROR 404: Not Found.",
        "fatal: repository 'http://127.0.0.1:5990/v2/head-404/x.git/' not found",
        "fatal: could not read Username for 'http://127.0.0.1:5990': terminal prompts disabled",
        "npm error 404  The requested resource 'x@*' could not be found or you do not have "
        "permission to access it.",
        "ERROR: No matching distribution found for nosuch-package-xyz-1234",
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have "
        "updated the package versions, please update the hashes.",
        "E: Unable to locate package nosuchpackage-xyz",
        "E: Version '99' for 'bash' was not found",
        "E: Failed to fetch http://127.0.0.1:5990/Packages  404  Not Found [IP: 127.0.0.1 5990]",
        "E: Failed to fetch http://127.0.0.1:5990/Packages  403  Forbidden [IP: 127.0.0.1 5990]",
        "E: GPG error: http://127.0.0.1:5990 bookworm Release: Signed file isn't valid, got "
        "'NODATA' (does the network require authentication?)",
        'runc run failed: unable to start container process: exec: "/nosuch": stat /nosuch: no '
        "such file or directory",
    ),
    *messages(
        Cause.COMMAND,
        False,
        "https://github.com/nodejs/docker-node/issues/659",
        "ERROR: unsatisfiable constraints:",
    ),
    *messages(Cause.COMMAND, False, HERE, "Killed", ended="exit code: 137"),
    *messages(Cause.COMMAND, False, HERE, "Segmentation fault", ended="exit code: 139"),
    *messages(Cause.COMMAND, False, HERE, "/bin/sh: nosuch: not found", ended="exit code: 127"),
    *messages(
        Cause.COMMAND, False, HERE, "", ended="unable to find user nobody1: invalid argument"
    ),
    *messages(
        Cause.COMMAND,
        False,
        "https://github.com/simstudioai/sim/issues/1360",
        'error: script "build" was terminated by signal SIGKILL (Forced quit)',
        ended="cannot allocate memory",
    ),
)
