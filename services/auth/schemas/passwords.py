"""HTTP bodies about passwords."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from services.auth.model.passwords import LONGEST, SHORTEST


class NewPasswordBody(BaseModel):
    """A password for the caller, with the one that it replaces."""

    model_config = ConfigDict(extra="forbid")

    old: SecretStr | None = Field(
        default=None,
        max_length=LONGEST,
        description="The password in force; absent where none was ever set.",
    )
    new: SecretStr = Field(
        max_length=LONGEST,
        description=f"At least {SHORTEST} characters, at most {LONGEST} bytes.",
    )
