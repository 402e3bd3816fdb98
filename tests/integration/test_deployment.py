"""What is in deploy/: each file by the schema of its program, or by the program itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from servers import FIXTURES, PROJECT

from cds_service import __version__
from cds_service.cli.serving import SECONDS_TO_STOP
from cds_service.environment import known_variables

DEPLOY = PROJECT / "deploy"
COMPOSE = (PROJECT / "docker-compose.yml", DEPLOY / "compose" / "full.yml")
CHART = DEPLOY / "helm" / "anxiety-cds-service"
UNIT = DEPLOY / "systemd" / "anxiety-cds-service.service"
RULES = DEPLOY / "prometheus" / "rules.yml"
KUBERNETES = "1.35"


def _ran(*command: str | Path, cwd: Path = PROJECT, fails: bool = False) -> str:
    """What a program prints; skips the test if the program is not here."""
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"{command[0]}: it is not installed")
    ended = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert (ended.returncode != 0) is fails, ended.stdout
    return ended.stdout


def _loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_every_setting_that_a_file_names_is_one_of_ours() -> None:
    files = [*COMPOSE, UNIT, *CHART.rglob("*.yaml"), *CHART.rglob("*.tpl"), PROJECT / "Dockerfile"]
    named = {name for path in files for name in re.findall(r"\bCDS_[A-Z_]+\b", path.read_text())}
    assert len(named - {"CDS_"}) > 12
    assert sorted(named - known_variables() - {"CDS_"}) == []


# -- Compose -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_a_compose_file_is_as_the_schema_of_compose_says(path: Path) -> None:
    # In this process: it imports for seconds, and checks in milliseconds.
    program = pytest.importorskip("check_jsonschema", reason="check-jsonschema: not installed")
    options = ("--builtin-schema", "vendor.compose-spec")
    checked = CliRunner().invoke(program.main, [*options, str(path)])
    assert checked.exit_code == 0, checked.output


def _services() -> Iterator[tuple[Path, str, dict[str, Any]]]:
    for path in COMPOSE:
        for name, service in _loaded(path)["services"].items():
            yield path, name, service


def test_every_service_has_a_profile_and_a_version_and_its_files_are_there() -> None:
    profiles = defaultdict(set)
    for path, name, service in _services():
        [profile] = service["profiles"]
        profiles[profile].add(name)
        image = service["image"]
        assert ":" in image or "build" in service, f"{name}: any version of {image}"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert not source.startswith(".") or (path.parent / source).exists(), volume
    assert profiles["demo"] == {"service", "fhir", "loader"}
    assert {"service-1", "service-2", "nginx", "postgresql", "redis"} < profiles["full"]
    # `docker compose up` alone is the demo.
    assert "COMPOSE_PROFILES=demo" in (PROJECT / ".env").read_text().splitlines()


def test_our_containers_write_nowhere_and_may_do_nothing() -> None:
    ours = [s for _, name, s in _services() if "service" in name or name == "migration"]
    assert len(ours) == 4
    for service in ours:
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_ports_are_open_on_this_computer_alone() -> None:
    ports = [port for _, _, service in _services() for port in service.get("ports", [])]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


def test_the_secrets_of_compose_are_made_once(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "compose" / "make-secrets", tmp_path)
    _ran(tmp_path / "make-secrets")
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert made.keys() == set(_loaded(COMPOSE[1])["secrets"])
    assert re.fullmatch("[0-9a-f]{64}", made["hash-key"])
    assert made["postgresql-password"] in made["store-url"]
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    _ran(tmp_path / "make-secrets")
    assert made == {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}


# -- Prometheus and Grafana ----------------------------------------------------------------------


def test_prometheus_takes_its_configuration_and_its_rules() -> None:
    assert "SUCCESS" in _ran(
        "promtool", "check", "config", DEPLOY / "prometheus" / "prometheus.yml"
    )


def test_each_alarm_rings_when_it_should_and_not_on_a_good_day() -> None:
    _ran("promtool", "test", "rules", "alarms.yml", cwd=PROJECT / "tests")
    tried = (PROJECT / "tests" / "alarms.yml").read_text()
    assert all(tried.count(f"alertname: {rule['alert']}}}") == 1 for rule in _alarms())


def _alarms() -> list[dict[str, Any]]:
    return [rule for group in _loaded(RULES)["groups"] for rule in group["rules"]]


def test_each_alarm_says_what_to_do_and_stands_in_the_page_for_operators() -> None:
    page = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
    for alarm in _alarms():
        assert alarm["labels"]["severity"] in ("page", "ticket")
        assert len(alarm["annotations"]["do"].split()) > 8, alarm["alert"]
        assert f"`{alarm['alert']}`" in page


def _expressions() -> list[str]:
    board = json.loads((DEPLOY / "grafana" / "boards" / "cds.json").read_text())
    drawn = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return [*drawn, *(rule["expr"] for rule in _alarms())]


_METRIC = re.compile(r"\b(cds_[a-z_]+)(?:\{([^}]*)\})?")


def test_every_metric_and_label_of_rules_and_board_is_exposed(ehr: FlaskClient) -> None:
    body = (FIXTURES / "requests" / "ada-generalised-anxiety.json").read_bytes()
    url = "/cds-services/anxiety-leg-weakness"
    assert ehr.post(url, data=body, content_type="application/json").status_code == 200
    labels: dict[str, set[str]] = defaultdict(set)
    for family in text_string_to_metric_families(ehr.get("/metrics").text):
        labels[family.name] |= set()
        for sample in family.samples:
            labels[family.name] |= sample.labels.keys()
    used = [found for expression in _expressions() for found in _METRIC.findall(expression)]
    assert len(used) > 25
    for name, conditions in used:
        family = re.sub("_(total|bucket|count|sum)$", "", name)
        assert family in labels, name
        asked = set(re.findall(r"(\w+)=", conditions))
        assert not labels[family] or asked <= labels[family], f"{name}{{{conditions}}}"
    stages = {"authenticate", "prefetch", "evaluate", "suppress", "dump", "total"}
    assert set(re.findall(r'stage="(\w+)"', str(used))) <= stages
    rules = {rule.rule for rule in ehr.application.url_map.iter_rules()}
    assert "/cds-services/<service_id>/feedback" in rules
    endpoints = {each.endpoint.rpartition(".")[2] for each in ehr.application.url_map.iter_rules()}
    assert set(re.findall(r'endpoint="(\w+)"', str(used))) <= endpoints


# -- Kubernetes ----------------------------------------------------------------------------------

_EVERYTHING = {
    "externalSecret.enabled": "true",
    "externalSecret.store.name": "vault",
    "externalSecret.remoteKeys.store-url": "cds/store-url",
    "externalSecret.remoteKeys.hash-key": "cds/hash-key",
    "externalSecret.remoteKeys.redis-url": "cds/redis-url",
    "content.claim": "cards",
    "image.digest": "sha256:" + "0" * 64,
    "settings.CDS_PUBLIC_URL": "https://cds.example.org",
    "imagePullSecrets[0].name": "registry",
    "podAnnotations.owner": "informatics",
    "nodeSelector.zone": "clinical",
}
_LITTLE = {
    "autoscaling.enabled": "false",
    "replicas": "1",
    "networkPolicy.enabled": "false",
    "pruning.enabled": "false",
    "secret.redis": "false",
}


def _set(values: Mapping[str, str]) -> list[str]:
    return [part for name, value in values.items() for part in ("--set", f"{name}={value}")]


def _rendered(values: Mapping[str, str]) -> dict[str, Any]:
    """The objects of the chart by kind."""
    text = _ran("helm", "template", "cds", CHART, "--kube-version", KUBERNETES, *_set(values))
    return {each["kind"]: each for each in yaml.safe_load_all(text) if each}


@pytest.mark.parametrize("values", [{}, _EVERYTHING, _LITTLE], ids=["default", "all", "little"])
def test_every_object_of_the_chart_is_as_the_schema_of_kubernetes_says(
    values: dict[str, str],
) -> None:
    import kubernetes_validate  # which is slow, and no other test needs it

    rendered = _rendered(values)
    always = {"Deployment", "Service", "Job"}
    default = always | {
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
        "NetworkPolicy",
        "CronJob",
    }
    external = rendered.pop("ExternalSecret", None)  # of an operator, not of Kubernetes
    assert rendered.keys() == (always if values is _LITTLE else default)
    assert (external is not None) is (values is _EVERYTHING)
    for each in rendered.values():
        kubernetes_validate.validate(each, KUBERNETES, strict=True)
    _ran("helm", "lint", "--strict", CHART, *_set(values))


def test_a_pod_writes_nowhere_and_has_time_to_finish() -> None:
    pod = _rendered(_EVERYTHING)["Deployment"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["enableServiceLinks"] is False and pod["automountServiceAccountToken"] is False
    leaving = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] >= leaving + SECONDS_TO_STOP
    paths = {
        name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("liveness", "readiness")
    }
    assert paths == {"liveness": "/health/live", "readiness": "/health/ready"}
    assert container["image"].endswith("@sha256:" + "0" * 64)


def test_jobs_of_the_store_get_no_calls_and_may_reach_the_database() -> None:
    rendered = _rendered({})
    chosen = rendered["Service"]["spec"]["selector"]
    for kind in ("Job", "CronJob"):
        spec = rendered[kind]["spec"]
        template = (
            spec["jobTemplate"]["spec"]["template"] if kind == "CronJob" else spec["template"]
        )
        assert not chosen.items() <= template["metadata"]["labels"].items()
        [container] = template["spec"]["containers"]
        assert container["args"][:2] == ["cds-service", "store"]


@pytest.mark.parametrize(
    "values",
    [
        {"settings.CDS_HASH_KEY": "secret"},
        {"settings.PATH": "/bin"},
        {"replicaz": "3"},
        {"replicas": "0"},
        {"image.digest": "latest"},
        {"externalSecret.enabled": "true"},
    ],
    ids=str,
)
def test_the_chart_refuses_a_value_that_cannot_be_meant(values: dict[str, str]) -> None:
    _ran("helm", "template", "cds", CHART, *_set(values), fails=True)


def test_the_chart_has_the_version_of_the_package() -> None:
    assert _loaded(CHART / "Chart.yaml")["appVersion"] == __version__


# -- systemd -------------------------------------------------------------------------------------


def test_the_unit_is_one_that_systemd_takes_and_shuts_in_well(tmp_path: Path) -> None:
    text = UNIT.read_text(encoding="utf-8")
    [program] = re.findall(r"^ExecStart=(\S+) serve$", text, re.MULTILINE)
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace(program, "/bin/true"))  # it is not installed here
    assert _ran("systemd-analyze", "verify", copy) == ""
    judged = _ran("systemd-analyze", "security", "--offline=true", copy)
    [exposure] = re.findall(r"exposure level for \S+: ([\d.]+)", judged)
    assert float(exposure) < 2
    [seconds] = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    assert int(seconds) > SECONDS_TO_STOP
