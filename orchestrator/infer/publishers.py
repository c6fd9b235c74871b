"""Names that everybody knows: whose images are never those of the tree that is looked at."""

from __future__ import annotations

from orchestrator.model.names import DOCKER_HUB, Repository

#: Docker Hub's official images that trees of Dockerfiles most often stand on.
_OFFICIAL = frozenset((
    "adoptopenjdk", "almalinux", "alpine", "amazoncorretto", "amazonlinux", "archlinux", "bash",
    "buildpack-deps", "busybox", "caddy", "cassandra", "centos", "clearlinux", "clojure",
    "composer", "consul", "couchdb", "dart", "debian", "docker", "drupal", "eclipse-mosquitto",
    "eclipse-temurin", "elasticsearch", "elixir", "erlang", "fedora", "gcc", "ghost", "golang",
    "gradle", "groovy", "haproxy", "haskell", "hello-world", "httpd", "ibmjava", "influxdb",
    "jetty", "joomla", "jruby", "julia", "kibana", "kong", "logstash", "mariadb", "maven",
    "memcached", "mongo", "mono", "mysql", "nats", "neo4j", "nginx", "node", "odoo", "openjdk",
    "openresty", "oraclelinux", "perl", "photon", "php", "postgres", "pypy", "python", "r-base",
    "rabbitmq", "redis", "registry", "rockylinux", "ruby", "rust", "sapmachine", "solr",
    "sonarqube", "swift", "telegraf", "tomcat", "tomee", "traefik", "ubuntu", "varnish",
    "vault", "wordpress", "zookeeper",
))  # fmt: skip
#: Where vendors publish what others build on.
_VENDORS = (
    "cgr.dev/chainguard", "docker.elastic.co", "docker.io/bitnami",
    "docker.io/tonistiigi", "gcr.io/distroless", "gcr.io/google", "k8s.gcr.io", "mcr.microsoft.com",
    "nvcr.io", "public.ecr.aws/docker", "public.ecr.aws/lambda", "registry.access.redhat.com",
    "registry.k8s.io", "registry.redhat.io",
)  # fmt: skip
#: Registries that anybody may publish in.
_PUBLIC = frozenset((
    DOCKER_HUB, "gcr.io", "ghcr.io", "public.ecr.aws", "quay.io", "registry.gitlab.com",
))  # fmt: skip


def is_official(repository: Repository) -> bool:
    """Say whether it is one of Docker Hub's official images."""
    family, _, name = repository.path.partition("/")
    return repository.registry == DOCKER_HUB and family == "library" and name in _OFFICIAL


def is_on_hub(repository: Repository) -> bool:
    """Say whether it is what a name without a registry means: ``docker.io/library/…``."""
    return repository.registry == DOCKER_HUB and repository.path.startswith("library/")


def is_vendor(repository: Repository) -> bool:
    """Say whether a vendor publishes there."""
    text = str(repository)
    return any(text.startswith(f"{vendor}/") for vendor in _VENDORS)


def is_public(repository: Repository) -> bool:
    """Say whether anybody may publish in that registry."""
    return repository.registry in _PUBLIC
