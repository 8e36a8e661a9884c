"""Stages: where a version stands on its way to production."""

from typing import Final

from libs.common.errors import invalid

NONE: Final = "None"
STAGING: Final = "Staging"
PRODUCTION: Final = "Production"
ARCHIVED: Final = "Archived"
ALL: Final = (NONE, STAGING, PRODUCTION, ARCHIVED)
ACTIVE: Final = (STAGING, PRODUCTION)
_BY_LOWER: Final = {stage.lower(): stage for stage in ALL}


def canonical(stage: str) -> str:
    """The stage that `stage` names in any case of letters."""
    found = _BY_LOWER.get(stage.lower())
    if found is None:
        raise invalid(
            f"Invalid Model Version stage: {stage}. Value must be one of {', '.join(ALL)}."
        )
    return found


def canonical_for_archiving(stage: str) -> str:
    """The same, where the versions that stand there now shall make room."""
    found = canonical(stage)
    if found not in ACTIVE:
        raise invalid(
            "Model version transition cannot archive existing model versions because"
            f" '{stage}' is not an Active stage. Valid stages are {list(ACTIVE)}"
        )
    return found
