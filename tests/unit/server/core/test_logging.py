"""Logging: one format for everything, and no values of variables in it."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from server.core.logging import LogFormat, configure_logging


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_structlog_and_the_standard_library_write_one_json_object_per_line() -> None:
    stream = io.StringIO()
    configure_logging(level="INFO", log_format="json", stream=stream)
    structlog.get_logger("server.x").info("batch_stored", entries=12, took_ms=8)
    logging.getLogger("uvicorn.error").info("Started %s", "it")
    structlog.get_logger("server.x").debug("not_shown")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["event"], first["entries"], first["level"], first["logger"]) == (
        "batch_stored",
        12,
        "info",
        "server.x",
    )
    assert first["timestamp"].endswith("Z")
    assert second["event"] == "Started it"


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_shows_no_values_of_variables(log_format: LogFormat) -> None:
    stream = io.StringIO()
    configure_logging(log_format=log_format, stream=stream)
    child_name = "Ottilie Canary".upper()
    try:
        _ = [child_name][len(child_name)]
    except IndexError:
        structlog.get_logger("server.x").exception("job_failed")
    assert "IndexError" in stream.getvalue()
    assert child_name not in stream.getvalue()


def test_requests_are_not_logged_line_by_line() -> None:
    stream = io.StringIO()
    configure_logging(log_format="json", stream=stream)
    logging.getLogger("uvicorn.access").info("GET /api/v1/children?name=x")
    assert stream.getvalue() == ""
