"""The platform's operator's own token: replaced by another."""

from fastapi import APIRouter

from libs.common.http.own import Here, Operator, for_operator
from services.auth.commands.operators import rotate_operator
from services.auth.schemas.tenants import OperatorTokenBody

router = APIRouter(prefix="/api/maestro/v1/operator", tags=["tenants"])


@router.post("/rotate", status_code=201, **for_operator())
async def replace_operator_token(operator: Operator, running: Here) -> OperatorTokenBody:
    """Get another operator's token; the one in use ends at once."""
    return OperatorTokenBody(token=await rotate_operator(running, operator))
