"""What a tenant's uploads take while they come."""

import pytest

from libs.common.errors import Refusal
from services.tracking.model.usage import MOST_PARTS_AT_ONCE, Receiving


def test_parts_that_come_together_know_of_each_other() -> None:
    receiving = Receiving()
    with receiving.entered(1, 30) as none:
        with receiving.entered(1, 20) as first, receiving.entered(2, 5) as of_another:
            assert (none, first, of_another) == (0, 30, 0)
        with receiving.entered(1, 7) as again:
            assert again == 30


def test_only_so_many_parts_of_a_tenant_come_at_once() -> None:
    receiving = Receiving()
    coming = [receiving.entered(1, 1) for _ in range(MOST_PARTS_AT_ONCE)]
    for part in coming:
        part.__enter__()
    with pytest.raises(Refusal) as refused, receiving.entered(1, 1):
        pass
    assert (refused.value.status, refused.value.retry_after) == (429, 1)
    coming[0].__exit__(None, None, None)
    with receiving.entered(1, 1) as others:
        assert others == MOST_PARTS_AT_ONCE - 1
