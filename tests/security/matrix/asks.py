"""One request for every operation, about live things; a new route without one fails the matrix.

Words in angle brackets stand for things of whoever is asked about: `<run>` is a run's id.
"""

from typing import Any, Final

from tests.security.matrix.ask import ML, OURS, Ask, Kind
from tests.security.matrix.asks_of_artifacts import ARTIFACTS

_RUN: Final = {"run_id": "<run>"}
_EXPERIMENT: Final = {"experiment_id": "<experiment>"}
_MODEL: Final = {"name": "<model>"}
_VERSION: Final = {"name": "<model>", "version": "1"}
_DATASET: Final = {"name": "d", "digest": "x", "source_type": "code", "source": "s"}

TRACKING: Final[dict[str, Ask]] = {
    "create_experiment": Ask("make", f"{ML}/experiments/create", body={"name": "<new>"}),
    "get_experiment": Ask("read", f"{ML}/experiments/get", "experiment_id=<experiment>"),
    "get_experiment_by_name": Ask(
        "read", f"{ML}/experiments/get-by-name", "experiment_name=<experiment-name>"
    ),
    "update_experiment": Ask(
        "act", f"{ML}/experiments/update", body=_EXPERIMENT | {"new_name": "<new>"}
    ),
    "delete_experiment": Ask("act", f"{ML}/experiments/delete", body=_EXPERIMENT),
    "restore_experiment": Ask(
        "act", f"{ML}/experiments/restore", body={"experiment_id": "<deleted-experiment>"}
    ),
    "set_experiment_tag": Ask(
        "act", f"{ML}/experiments/set-experiment-tag", body=_EXPERIMENT | {"key": "k", "value": "v"}
    ),
    "delete_experiment_tag": Ask(
        "act", f"{ML}/experiments/delete-experiment-tag", body=_EXPERIMENT | {"key": "canary"}
    ),
    "search_experiments": Ask(
        "list", f"{ML}/experiments/search", "max_results=1000&view_type=ALL", {"max_results": 1000}
    ),
    "search_datasets": Ask(
        "list",
        "/ajax-api/2.0/mlflow/experiments/search-datasets",
        body={"experiment_ids": ["<experiment>"]},
    ),
    "create_run": Ask("act", f"{ML}/runs/create", body=_EXPERIMENT | {"start_time": 1}),
    "get_run": Ask("read", f"{ML}/runs/get", "run_id=<run>"),
    # A refusal stands in its answer, which is a 200 all the same: MLflow answers so.
    "ask_graphql": Ask(
        "list",
        "/graphql",
        body={"operationName": "GetRun", "variables": {"data": {"runId": "<run>"}}},
    ),
    "update_run": Ask("act", f"{ML}/runs/update", body=_RUN | {"status": "FINISHED"}),
    "delete_run": Ask("act", f"{ML}/runs/delete", body=_RUN),
    "restore_run": Ask("act", f"{ML}/runs/restore", body={"run_id": "<deleted-run>"}),
    "search_runs": Ask("list", f"{ML}/runs/search", body={"experiment_ids": ["<experiment>"]}),
    "log_metric": Ask(
        "act", f"{ML}/runs/log-metric", body=_RUN | {"key": "m", "value": 1.0, "timestamp": 1}
    ),
    "log_parameter": Ask("act", f"{ML}/runs/log-parameter", body=_RUN | {"key": "q", "value": "1"}),
    "set_tag": Ask("act", f"{ML}/runs/set-tag", body=_RUN | {"key": "t", "value": "1"}),
    "delete_tag": Ask("act", f"{ML}/runs/delete-tag", body=_RUN | {"key": "canary"}),
    "log_batch": Ask(
        "act", f"{ML}/runs/log-batch", body=_RUN | {"params": [{"key": "b", "value": "1"}]}
    ),
    "log_inputs": Ask(
        "act", f"{ML}/runs/log-inputs", body=_RUN | {"datasets": [{"dataset": _DATASET}]}
    ),
    "log_outputs": Ask(
        "act",
        f"{ML}/runs/outputs",
        body=_RUN | {"models": [{"model_id": "<logged-model>", "step": 0}]},
    ),
    "log_model": Ask(
        "act",
        f"{ML}/runs/log-model",
        body=_RUN
        | {
            "model_json": '{"artifact_path":"m","flavors":{},"utc_time_created":"x",'
            '"run_id":"<run>"}'
        },
    ),
    "get_metric_history": Ask(
        "list", f"{ML}/metrics/get-history", "run_id=<run>&metric_key=canary"
    ),
    "get_metric_history_bulk": Ask(
        "list",
        "/ajax-api/2.0/mlflow/metrics/get-history-bulk",
        "run_id=<run>&metric_key=canary",
    ),
    "get_metric_history_bulk_interval": Ask(
        "list",
        f"{ML}/metrics/get-history-bulk-interval",
        "run_ids=<run>&metric_key=canary&max_results=10",
    ),
    "create_logged_model": Ask("act", f"{ML}/logged-models", body=_EXPERIMENT | {"name": "m"}),
    "search_logged_models": Ask(
        "list", f"{ML}/logged-models/search", body={"experiment_ids": ["<experiment>"]}
    ),
    "get_logged_model": Ask("read", f"{ML}/logged-models/<logged-model>"),
    "finalize_logged_model": Ask(
        "act",
        f"{ML}/logged-models/<logged-model>",
        body={"model_id": "<logged-model>", "status": "LOGGED_MODEL_READY"},
    ),
    "delete_logged_model": Ask("act", f"{ML}/logged-models/<logged-model>"),
    "set_logged_model_tags": Ask(
        "act",
        f"{ML}/logged-models/<logged-model>/tags",
        body={"tags": [{"key": "k", "value": "v"}]},
    ),
    "delete_logged_model_tag": Ask("act", f"{ML}/logged-models/<logged-model>/tags/canary"),
    "log_logged_model_params": Ask(
        "act",
        f"{ML}/logged-models/<logged-model>/params",
        body={"model_id": "<logged-model>", "params": [{"key": "p", "value": "v"}]},
    ),
    **ARTIFACTS,
}

REGISTRY: Final[dict[str, Ask]] = {
    "create_registered_model": Ask(
        "make", f"{ML}/registered-models/create", body={"name": "<new>"}
    ),
    "get_registered_model": Ask("read", f"{ML}/registered-models/get", "name=<model>"),
    "update_registered_model": Ask(
        "act", f"{ML}/registered-models/update", body=_MODEL | {"description": "d"}
    ),
    "rename_registered_model": Ask(
        "act", f"{ML}/registered-models/rename", body=_MODEL | {"new_name": "<new>"}
    ),
    "delete_registered_model": Ask("act", f"{ML}/registered-models/delete", body=_MODEL),
    "search_registered_models": Ask("list", f"{ML}/registered-models/search", "max_results=1000"),
    "read_latest_versions": Ask(
        "read", f"{ML}/registered-models/get-latest-versions", "name=<model>"
    ),
    "get_latest_versions": Ask("read", f"{ML}/registered-models/get-latest-versions", body=_MODEL),
    "set_registered_model_tag": Ask(
        "act", f"{ML}/registered-models/set-tag", body=_MODEL | {"key": "k", "value": "v"}
    ),
    "delete_registered_model_tag": Ask(
        "act", f"{ML}/registered-models/delete-tag", body=_MODEL | {"key": "canary"}
    ),
    "set_registered_model_alias": Ask(
        "act", f"{ML}/registered-models/alias", body=_VERSION | {"alias": "other"}
    ),
    "delete_registered_model_alias": Ask(
        "act", f"{ML}/registered-models/alias", body=_MODEL | {"alias": "canary"}
    ),
    "get_model_version_by_alias": Ask(
        "read", f"{ML}/registered-models/alias", "name=<model>&alias=canary"
    ),
    "create_model_version": Ask(
        "act",
        f"{ML}/model-versions/create",
        body=_MODEL | {"source": "runs:/<run>/m", "run_id": "<run>"},
        waits=True,
    ),
    "get_model_version": Ask("read", f"{ML}/model-versions/get", "name=<model>&version=1"),
    "update_model_version": Ask(
        "act", f"{ML}/model-versions/update", body=_VERSION | {"description": "d"}
    ),
    "transition_model_version_stage": Ask(
        "act", f"{ML}/model-versions/transition-stage", body=_VERSION | {"stage": "Staging"}
    ),
    "delete_model_version": Ask("act", f"{ML}/model-versions/delete", body=_VERSION),
    "get_model_version_download_uri": Ask(
        "read", f"{ML}/model-versions/get-download-uri", "name=<model>&version=1"
    ),
    "search_model_versions": Ask("list", f"{ML}/model-versions/search", "max_results=1000"),
    "set_model_version_tag": Ask(
        "act", f"{ML}/model-versions/set-tag", body=_VERSION | {"key": "k", "value": "v"}
    ),
    "delete_model_version_tag": Ask(
        "act", f"{ML}/model-versions/delete-tag", body=_VERSION | {"key": "canary"}
    ),
    "get_model_version_artifact": Ask(
        "read", "/model-versions/get-artifact", "name=<model>&version=1&path=canary.txt"
    ),
}

WORKSPACES: Final = "/api/3.0/mlflow/workspaces"
_GRANT: Final = {"subject": "<member>", "role": "viewer", "kind": "experiment", "pattern": "x/*"}
# The same each time, so that it is the one in force whenever it is set again.
_PASSWORD: Final = "one for the matrix"
_TRIED: Final = {"role": {"name": "<role>", "permissions": ["run.read"]}}


def _of_tenant(kind: Kind, path: str, query: str = "", body: Any = None) -> Ask:
    return Ask(kind, OURS + path, query, body, of_tenant=True)


AUTH: Final[dict[str, Ask]] = {
    "get_current_user": Ask("own", f"{ML}/users/current"),
    "list_current_user_permissions": Ask("own", "/api/3.0/mlflow/users/current/permissions"),
    "list_workspaces": Ask("list", WORKSPACES, of_tenant=True),
    "create_workspace": Ask("make", WORKSPACES, body={"name": "<new>"}, of_tenant=True),
    "get_workspace": Ask("read", f"{WORKSPACES}/<workspace>", of_tenant=True),
    "update_workspace": Ask(
        "act", f"{WORKSPACES}/<workspace>", body={"description": "d"}, of_tenant=True
    ),
    "delete_workspace": Ask("act", f"{WORKSPACES}/<workspace>", of_tenant=True),
    "my_access": Ask("own", f"{OURS}/access/mine"),
    "list_permissions": Ask("own", f"{OURS}/permissions"),
    "create_token": Ask("own", f"{OURS}/tokens", body={"name": "t", "expires_in_days": 1}),
    "create_sign_in_link": Ask("own", f"{OURS}/sign-in-links"),
    "list_tokens": Ask("own", f"{OURS}/tokens", of_tenant=True),
    "delete_token": _of_tenant("act", "/tokens/<token>"),
    "replace_token": _of_tenant("act", "/tokens/<token>/rotate", body={"overlap_hours": 1}),
    "list_all_tokens": _of_tenant("list", "/tokens/inventory"),
    "delete_any_token": _of_tenant("act", "/tokens/inventory/<token>"),
    "put_password": Ask("own", f"{OURS}/password", body={"old": _PASSWORD, "new": _PASSWORD}),
    "access_of": _of_tenant("read", "/access/of/<member>"),
    "check_access": _of_tenant(
        "read", "/access/check", "subject=<member>&permission=run.read&name=x"
    ),
    "who_has_access": _of_tenant("list", "/access/who", "permission=run.read&name=x"),
    "dry_run": _of_tenant("read", "/access/dry-run", body=_TRIED),
    "make_grant": _of_tenant("act", "/grants", body=_GRANT),
    "list_grants": _of_tenant("list", "/grants", "kind=experiment&pattern=x"),
    "get_grant": _of_tenant("read", "/grants/<grant>"),
    "revoke_grant": _of_tenant("act", "/grants/<grant>"),
    "invite_member": _of_tenant(
        "make", "/invitations", body={"login": "<new>@example.org", "role": "viewer"}
    ),
    "list_invitations": _of_tenant("list", "/invitations"),
    "take_back": _of_tenant("act", "/invitations/<invitation>"),
    "list_members": _of_tenant("list", "/members"),
    "get_member": _of_tenant("read", "/members/<member>"),
    "suspend": _of_tenant("act", "/members/<member>/suspend"),
    "resume": _of_tenant("act", "/members/<member>/resume"),
    "remove": _of_tenant("act", "/members/<member>"),
    "give_role": _of_tenant("act", "/members/<member>/role", body={"role": "contributor"}),
    "list_roles": _of_tenant("list", "/roles"),
    "define_role": _of_tenant(
        "make", "/roles", body={"name": "<new>", "permissions": ["run.read"]}
    ),
    "get_role": _of_tenant("read", "/roles/<role>"),
    "change_role": _of_tenant("act", "/roles/<role>", body={"permissions": ["run.read"]}),
    "delete_role": _of_tenant("act", "/roles/<role>"),
    "create_service_account": _of_tenant(
        "make", "/service-accounts", body={"name": "<new>", "role": "viewer"}
    ),
    "list_service_accounts": _of_tenant("list", "/service-accounts"),
    "suspend_service_account": _of_tenant("act", "/service-accounts/<account>/suspend"),
    "resume_service_account": _of_tenant("act", "/service-accounts/<account>/resume"),
    "delete_service_account": _of_tenant("act", "/service-accounts/<account>"),
    "create_service_account_token": _of_tenant(
        "act", "/service-accounts/<account>/tokens", body={"name": "t", "expires_in_days": 1}
    ),
}
OWNERS: Final[dict[str, Ask]] = {
    "get_experiment_owner": Ask("read", f"{OURS}/experiments/<experiment>/owner"),
    "put_experiment_owner": Ask(
        "act", f"{OURS}/experiments/<experiment>/owner", body={"subject": "<member>"}
    ),
    "get_retention": Ask("read", f"{OURS}/experiments/<experiment>/retention"),
    "put_retention": Ask(
        "act", f"{OURS}/experiments/<experiment>/retention", body={"deleted_days": 9}
    ),
    "delete_retention": Ask("act", f"{OURS}/experiments/<experiment>/retention"),
    # They would not end by themselves.
    "listen_to_run": Ask("read", f"{OURS}/runs/<run>/events", "seconds=0"),
    "listen_to_experiment": Ask("read", f"{OURS}/experiments/<experiment>/events", "seconds=0"),
    "show_garbage": Ask("own", f"{OURS}/garbage"),
    "collect_garbage": Ask("own", f"{OURS}/garbage/collect", body={}),
    "fork_run": Ask("act", f"{OURS}/runs/<run>/fork", body={"step": 0}),
    "create_ingest_pass": Ask("make", f"{OURS}/ingest/passes"),
    "get_model_owner": Ask("read", f"{OURS}/models/<model>/owner"),
    "set_model_owner": Ask("act", f"{OURS}/models/<model>/owner", body={"subject": "<member>"}),
}
ASKS: Final[dict[str, Ask]] = {**TRACKING, **REGISTRY, **AUTH, **OWNERS}
