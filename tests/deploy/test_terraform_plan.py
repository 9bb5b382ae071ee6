"""terraform/ and the code agree: what one names, the other has."""

import re
from functools import partial

import pytest

from tests.deploy import (
    check_limits,
    check_promises,
    check_routes,
    check_services,
    code,
)
from tests.deploy.check_services import programs, settings_of
from tests.deploy.conftest import MORE
from tests.deploy.terraform import SOURCE, Refused, build, variables

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
        check_promises.promises_are_those_of_the_runbook,
        check_promises.answers_are_those_of_the_api,
        check_promises.jobs_are_counted_by_type_at_their_end,
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
    "rights_are_exact": partial(check_limits.rights_are_exact, api_is_public=True),
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


def test_people_who_read_recordings_are_written_down(prod):
    [audit] = prod.of("google_project_iam_audit_config")
    assert audit["service"] == "storage.googleapis.com"
    kinds = audit["audit_log_config"]
    assert {one["log_type"] for one in kinds} == {"DATA_READ", "DATA_WRITE"}
    for one in kinds:
        ours = {prod.accounts[member] for member in one["exempted_members"]}
        assert ours == {"api", "solo", "worker"}


def test_models_run_where_they_are_served(prod, everything):
    assert settings_of(programs(prod)["worker"]).google_cloud_location == "global"
    assert settings_of(programs(prod)["worker"]).speech_location == "global"
    chosen = settings_of(programs(everything)["worker"])
    assert chosen.google_cloud_location == "europe-west1"
    assert chosen.speech_location == "eu"


def test_a_request_is_refused_by_us_before_cloud_run_does_it(prod):
    largest = settings_of(programs(prod)["api"]).max_request_bytes
    assert largest is not None
    assert largest < 32 * 1024 * 1024


def test_services_are_pointed_to_a_database_that_was_restored(prod, everything):
    for stack, name in ((prod, "pegasus"), (everything, "pegasus-restored")):
        found = {
            program.plain["PEGASUS_CLOUD_SQL_INSTANCE"]
            for program in programs(stack).values()
        }
        assert found == {f"lectures-test:europe-west4:{name}"}


def test_more_settings_reach_every_service(everything):
    for name, program in programs(everything).items():
        found = {key: program.plain.get(key) for key in MORE}
        assert found == (dict.fromkeys(MORE) if name == "migrate" else MORE)


def test_the_budget_is_in_whatever_currency_the_account_has():
    """Google refuses another, and whoever leaves it out gets the right one."""
    assert "currency_code" not in (SOURCE / "budget.tf").read_text()


def test_what_is_secret_or_set_already_is_refused(provider, tmp_path, everything):
    """Whatever is neither can be given, so every setting can be given somehow."""
    settings = code.settings_fields().keys()
    here = set().union(*(one.plain for one in programs(everything).values()))
    here -= MORE.keys()
    asked = " ".join(f'{name} = "x",' for name in sorted(settings | here))
    with pytest.raises(Refused) as refused:
        build(
            provider,
            tmp_path,
            variables("prod", {"extra_environment": f"{{ {asked} }}"}),
        )
    said = " ".join(str(refused.value).split())
    assert refused_for("Terraform sets these itself", said) == here
    secret = {name for name in settings if code.is_secret(name)}
    assert refused_for("Secrets go into secret_versions", said) == secret - here


def refused_for(why, said):
    found = re.search(rf"{why}[^:]*: ([A-Z0-9_, ]+)\.", said)
    assert found, said
    return set(found[1].split(", "))
