"""What clients ask before they log in: which server this is and what it can do."""

from typing import Final

from starlette.responses import PlainTextResponse

from libs.common.http.routes import PUBLIC, Call, Routes
from services.tracking.state import state_of

# The MLflow version whose API is served.
MLFLOW_VERSION: Final = "3.17.2"
routes: Final = Routes()


@routes.mlflow("GET", "3.0/mlflow/server-info", permission=PUBLIC)
async def server_info(call: Call) -> object:
    """The same for everybody; clients obey it for a minute."""
    return {
        "store_type": "SqlStore",
        "workspaces_enabled": True,
        "trace_archival_enabled": False,
        # Through the gateway, whatever the store.
        "multipart_uploads_enabled": True,
        # Of the store itself, where clients reach it.
        "multipart_downloads_enabled": state_of(call.running).artifacts.signs,
        # Bytes are hashed on their way in, so none go past us.
        "presigned_upload_run_id_supported": False,
        "presigned_upload_model_id_supported": False,
        "features_enabled": {"gateway": False},
    }


@routes.plain("GET", "/version", permission=PUBLIC)
async def version(_: Call) -> object:
    """The MLflow version, bare."""
    return PlainTextResponse(MLFLOW_VERSION)
