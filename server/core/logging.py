"""One way of logging for the whole server: structlog, and the standard library's loggers through it."""

import logging
import sys
from typing import Literal, TextIO

import structlog
from structlog.typing import Processor

LogFormat = Literal["console", "json"]


def configure_logging(*, level: str = "INFO", log_format: LogFormat = "console", stream: TextIO | None = None) -> None:
    """Send every log line of the process to `stream` (standard error when None) in one format.

    Called by composition roots only. `level` is a name of the standard library (`DEBUG` ... `CRITICAL`);
    uvicorn must be started with `log_config=None`, otherwise it puts its own handlers back.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_formatter(log_format))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "websockets", "alembic", "apscheduler"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    # Each request and each frame on a line of its own would drown what matters, and paths hold ids.
    for name in ("uvicorn.access", "websockets", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Pillow tells at DEBUG what a picture says of itself: where it was taken, and who is on it.
    logging.getLogger("PIL").setLevel(logging.WARNING)
    # What becomes of a job is logged by `server.services.jobs`; the timer below it has news only when it is broken.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    structlog.configure(
        processors=[*_shared_processors(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.UnicodeDecoder(),
    ]


def _formatter(log_format: LogFormat) -> logging.Formatter:
    # Tracebacks without local variables: those hold names and passwords.
    errors: list[Processor] = []
    if log_format == "json":
        transformer = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        errors = [structlog.processors.ExceptionRenderer(transformer)]
        renderer: Processor = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared_processors(),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *errors, renderer],
    )
