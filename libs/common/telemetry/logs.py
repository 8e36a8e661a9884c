"""Structured logs: one JSON object a line on standard error, with its trace and its tenant."""

import logging
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, Final

import structlog
from opentelemetry import trace

_SECRET_WORDS = ("password", "secret", "token", "authorization", "credential", "principal")

# Whose work is done now; None where it is nobody's, or not known yet.
_TENANT: Final[ContextVar[int | None]] = ContextVar("tenant_no", default=None)


def open_logs(*, level: str = "INFO") -> None:
    """Configure logging for this process; called once, by an entry point."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_tenant,
        _add_trace,
        _hide_secrets,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # aiokafka reports every lost connection at ERROR, hundreds a minute while a broker is away.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound


def log_tenant(tenant_no: int) -> None:
    """Put a tenant's number on every line from now to the end of the enclosing `tenant_of_lines`."""
    _TENANT.set(tenant_no)


class tenant_of_lines:  # noqa: N801 - used as a function is
    """What is logged in the block is of this tenant, or of the one that `log_tenant` names in it."""

    # A generator would cost three times as much, twice a request.
    __slots__ = ("_before", "_tenant_no")

    def __init__(self, tenant_no: int | None = None) -> None:
        self._tenant_no = tenant_no

    def __enter__(self) -> None:
        named = self._tenant_no
        self._before = _TENANT.set(_TENANT.get() if named is None else named)

    def __exit__(self, *_: object) -> None:
        _TENANT.reset(self._before)


def add_tenant(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog: the tenant, unless the line names one itself."""
    tenant_no = _TENANT.get()
    if tenant_no is not None:
        event.setdefault("tenant_no", tenant_no)
    return event


def _add_trace(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


def _hide_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in event:
        if any(word in key.lower() for word in _SECRET_WORDS):
            event[key] = "(hidden)"
    return event
