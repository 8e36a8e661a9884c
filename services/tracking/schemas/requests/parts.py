"""What several requests hold."""

import msgspec

from libs.common.http.reading import Choice


class View(Choice):
    """Which lifecycle stages a search looks at."""

    ACTIVE_ONLY = "ACTIVE_ONLY"
    DELETED_ONLY = "DELETED_ONLY"
    ALL = "ALL"


class Pair(msgspec.Struct):
    """A tag or a param."""

    key: str = ""
    value: str = ""
