"""terraform/ and the code agree: what one names, the other has."""

import re
from functools import partial

import pytest

from tests.deploy import check_limits, check_routes, check_services
from tests.deploy.check_services import programs, settings_of
from tests.deploy.terraform import SOURCE

CHECKS = {
    check.__name__: check
    for check in (
        check_services.settings_are_complete,
        check_services.same_everywhere,
        check_services.variables_are_read,
        check_services.secrets_are_references,
        check_services.images_are_digests,
        check_services.nothing_is_public,
        check_services.addresses_are_right,
        check_routes.queues_are_those_of_the_code,
        check_routes.topics_are_used,
        check_routes.the_bucket_is_the_services_own,
        check_routes.pushes_are_served,
        check_routes.schedules_are_served,
        check_routes.counted_lines_are_logged,
        check_limits.deadlines_fit,
        check_limits.retries_outlive_ours,
        check_limits.threads_suffice,
        check_limits.connections_fit,
        check_limits.rights_are_exact,
        check_limits.the_provider_is_pinned,
    )
}
OPENED = CHECKS | {
    "nothing_is_public": partial(check_services.nothing_is_public, api_is_public=True),
    "rights_are_exact": partial(
        check_limits.rights_are_exact, vertex=True, api_is_public=True
    ),
}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("environment", ["prod", "staging"])
def test_infrastructure_and_code_agree(request, environment, check):
    stack = request.getfixturevalue(environment)
    assert list(CHECKS[check](stack)) == []


@pytest.mark.parametrize("check", OPENED)
def test_they_agree_with_every_switch_on(everything, check):
    assert list(OPENED[check](everything)) == []


def test_a_domain_changes_how_clients_are_seen(everything, prod):
    api, before = programs(everything)["api"], programs(prod)["api"]
    assert settings_of(api).public_url == "https://lectures.example.org"
    assert api.values["custom_audiences"] == ["https://lectures.example.org"]
    assert api.values["ingress"] == "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
    hops = [settings_of(one).trusted_proxy_hops for one in (before, api)]
    assert hops == [1, 2]


def test_the_migrator_lets_the_services_in(prod):
    roles = settings_of(programs(prod)["migrate"]).database_roles
    users = {one["name"] for one in prod.of("google_sql_user")}
    own = programs(prod)["migrate"].plain["DATABASE_URL"].split("//")[1].split("@")[0]
    assert set(roles) == users - {own}
    assert len(roles) == 3


def test_secrets_reach_only_those_who_use_them(everything):
    found = {name: set(one.secret) for name, one in programs(everything).items()}
    keys = {"OPENAI_API_KEY", "GEMINI_API_KEY"}
    assert found["worker"] == found["solo"] == keys
    assert found["api"] > keys
    assert found["migrate"] == set()


def test_the_database_keeps_records_of_who_did_what(prod):
    [database] = prod.of("google_sql_database_instance")
    settings = database["settings"][0]
    flags = {one["name"]: one["value"] for one in settings["database_flags"]}
    assert flags["cloudsql.iam_authentication"] == "on"
    assert flags["cloudsql.enable_pgaudit"] == "on"
    assert flags["pgaudit.log"] == "ddl,role"
    for kind in ("checkpoints", "connections", "disconnections", "lock_waits"):
        assert flags[f"log_{kind}"] == "on"
    assert flags["log_min_error_statement"] == "error"


def test_the_database_comes_back_to_any_moment(prod):
    [database] = prod.of("google_sql_database_instance")
    backup = database["settings"][0]["backup_configuration"][0]
    assert (backup["enabled"], backup["point_in_time_recovery_enabled"]) == (True, True)
    assert backup["transaction_log_retention_days"] == 7


def test_each_check_that_checkov_leaves_out_has_a_reason():
    text = (SOURCE / ".checkov.yaml").read_text()
    skipped = [line for line in text.splitlines() if "- CKV" in line]
    assert skipped
    assert [line for line in skipped if not re.search(r"CKV\w+ # \w.{10}", line)] == []
