"""Background work of registry: deleted workspaces are cleared."""

from libs.common.leaving import clear_for_ever
from libs.common.service import Running
from services.registry.commands.workspaces import cleared, sweep


async def clear_workspaces(running: Running) -> None:
    """Move or remove what deleted workspaces hold; forever."""
    await clear_for_ever(running, sweep, cleared)
