"""Every call of MlflowClient that belongs to the registry, good and refused, each with its answer."""

import json
import sys
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

NAME = sys.argv[1]
called = set()
client = MlflowClient()


def plain(value: Any) -> Any:
    """An answer as JSON can show it: entities are shown with all their properties."""
    if hasattr(type(value), "_properties"):
        return {name: plain(inner) for name, inner in value}
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(inner) for inner in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    inner = getattr(value, "__dict__", None)
    return str(value) if inner is None else plain({k.strip("_"): inner[k] for k in inner})


def call(name: str, *words: Any, **named: Any) -> Any:
    """Call the client, show what came of it, and give that."""
    called.add(name)
    try:
        answer = getattr(client, name)(*words, **named)
    except MlflowException as problem:
        print(f"{name} is refused: {problem.error_code}: {problem.message}")
        return None
    print(f"{name}: {json.dumps(plain(answer), indent=1, sort_keys=True)}")
    return answer


def models() -> None:
    """Registered models with their tags."""
    call("create_registered_model", NAME, {"team": "blue"}, "the first")
    call("create_registered_model", NAME)
    call("create_registered_model", "")
    call("create_registered_model", "a/b")
    call("create_registered_model", f"{NAME}-other")
    call("get_registered_model", NAME)
    call("get_registered_model", f"{NAME}-never")
    call("update_registered_model", NAME, "another description")
    call("update_registered_model", f"{NAME}-never", "x")
    call("set_registered_model_tag", NAME, "stage", "first")
    call("set_registered_model_tag", NAME, "k" * 251, "x")
    call("set_registered_model_tag", f"{NAME}-never", "k", "v")
    call("delete_registered_model_tag", NAME, "team")
    call("delete_registered_model_tag", NAME, "team")
    call("rename_registered_model", f"{NAME}-other", f"{NAME}-renamed")
    call("rename_registered_model", f"{NAME}-renamed", NAME)
    call("rename_registered_model", f"{NAME}-never", f"{NAME}-new")
    call("search_registered_models", f"name LIKE '{NAME}%'", order_by=["name DESC"])
    call("search_registered_models", "tags.stage = 'first'")
    call("search_registered_models", "x = 'y'")
    call("search_registered_models", max_results=0)
    call("search_registered_models", f"name ILIKE '{NAME.upper()}%'", 1, ["name"])


def versions(run_id: str, model_id: str) -> None:
    """Versions with their tags, aliases and stages."""
    source = f"runs:/{run_id}/model"
    call("create_model_version", NAME, source, run_id, {"t": "1"}, description="made of a run")
    call("create_model_version", NAME, f"models:/{model_id}", model_id=model_id)
    call("create_model_version", f"{NAME}-never", source, run_id)
    call("create_model_version", NAME, "file:///etc/passwd")
    call("create_model_version", NAME, "")
    call("get_model_version", NAME, "1")
    call("get_model_version", NAME, "9")
    call("get_model_version", NAME, "one")
    call("update_model_version", NAME, "1", "described")
    call("update_model_version", NAME, "9", "described")
    call("set_model_version_tag", NAME, "1", "colour", "green")
    call("set_model_version_tag", NAME, "9", "colour", "green")
    call("delete_model_version_tag", NAME, "1", "t")
    call("delete_model_version_tag", NAME, "1", "t")
    call("get_model_version_download_uri", NAME, "1")
    call("get_model_version_download_uri", NAME, "9")
    call("get_model_version_stages", NAME, "1")
    for words in (f"name = '{NAME}'", f"run_id = '{run_id}'", "tags.colour = 'green'"):
        call("search_model_versions", words, order_by=["version_number ASC"])
    call("search_model_versions", max_results=0)


def aliases_and_stages() -> None:
    """Names for versions, and the four stages."""
    call("set_registered_model_alias", NAME, "champion", "1")
    call("set_registered_model_alias", NAME, "champion", "2")
    call("set_registered_model_alias", NAME, "champion", "9")
    call("set_registered_model_alias", NAME, "latest", "1")
    call("set_registered_model_alias", NAME, "v3", "1")
    call("set_registered_model_alias", f"{NAME}-never", "champion", "1")
    call("get_model_version_by_alias", NAME, "champion")
    call("get_model_version_by_alias", NAME, "nobody")
    call("get_registered_model", NAME)
    call("delete_registered_model_alias", NAME, "champion")
    call("delete_registered_model_alias", NAME, "champion")
    call("transition_model_version_stage", NAME, "1", "Staging")
    call("transition_model_version_stage", NAME, "2", "staging", archive_existing_versions=True)
    call("transition_model_version_stage", NAME, "2", "Everywhere")
    call("transition_model_version_stage", NAME, "9", "Staging")
    call("get_latest_versions", NAME)
    call("get_latest_versions", NAME, ["Staging"])
    call("get_latest_versions", NAME, ["Everywhere"])
    call("get_latest_versions", f"{NAME}-never")


def endings() -> None:
    """Copies, and what is left after a deletion."""
    call("copy_model_version", f"models:/{NAME}/1", f"{NAME}-copy")
    call("copy_model_version", f"models:/{NAME}/9", f"{NAME}-copy")
    call("delete_model_version", NAME, "2")
    call("delete_model_version", NAME, "2")
    call("get_model_version", NAME, "2")
    call("get_registered_model", NAME)
    call("delete_registered_model", f"{NAME}-renamed")
    call("delete_registered_model", f"{NAME}-renamed")
    call("search_model_versions", f"name = '{NAME}-copy'")


def prompts() -> None:
    """Prompts, which are registered models of a kind of their own."""
    name = f"{NAME}-prompt"
    call("create_prompt", name, "a prompt", {"team": "blue"})
    call("register_prompt", name, "Say {{word}}", "the first", {"t": "1"})
    call("register_prompt", name, [{"role": "user", "content": "Say {{word}} twice"}])
    call("create_prompt_version", name, "Say {{word}} thrice", "the third")
    call("get_prompt", name)
    call("get_prompt", f"{name}-never")
    call("load_prompt", f"prompts:/{name}/1")
    call("load_prompt", name, 2)
    call("load_prompt", name, 9)
    call("load_prompt", name, 9, allow_missing=True)
    call("get_prompt_version", name, 1)
    call("get_prompt_version", name, 9)
    call("set_prompt_tag", name, "stage", "first")
    call("delete_prompt_tag", name, "team")
    call("set_prompt_version_tag", name, 1, "colour", "green")
    call("delete_prompt_version_tag", name, 1, "t")
    call("set_prompt_alias", name, "champion", 1)
    call("get_prompt_version_by_alias", name, "champion")
    call("get_prompt_version_by_alias", name, "nobody")
    call("parse_prompt_uri", f"prompts:/{name}/3")
    call("search_prompts", f"name = '{name}'")
    call("search_registered_models", f"name = '{name}'")
    call("create_registered_model", name)
    call("delete_prompt_alias", name, "champion")
    call("delete_prompt_version", name, "2")
    call("get_prompt_version", name, 2)
    call("delete_prompt", name)
    for version in ("1", "3"):
        call("delete_prompt_version", name, version)
    call("delete_prompt", name)


def main() -> None:
    """All of it, about one run and one logged model."""
    experiment = client.create_experiment(NAME)
    run_id = client.create_run(experiment).info.run_id
    client.log_text(run_id, "weights", "model/MLmodel")
    model = client.create_logged_model(experiment, "tree", run_id)
    models()
    versions(run_id, model.model_id)
    aliases_and_stages()
    endings()
    prompts()
    print("called:", " ".join(sorted(called)))


main()
