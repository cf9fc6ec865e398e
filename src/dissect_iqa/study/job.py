"""Runs a workflow script as a job: with a log file, and errors that a person can read."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dissect_iqa.errors import UserError
from dissect_iqa.files.commands import pasteable
from dissect_iqa.files.writing import explain_write, is_full, saying_where


@contextmanager
def job(log: Path | str) -> Iterator[logging.Logger]:
    """Run a block as one job: log to `log` and the terminal, end with status 1 on error.

    A `UserError` prints its one sentence; anything else leaves its traceback in the log file
    and names that file on the terminal. Code of others that ends the process, even with status 0,
    is a failure too: the job isn't done.
    """
    try:
        with saying_where(log):
            Path(log).parent.mkdir(parents=True, exist_ok=True)
            to_file = logging.FileHandler(log, mode="w")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(1)
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(to_file)
    logger = logging.getLogger("dissect_iqa")
    logger.setLevel(logging.INFO)
    try:
        yield logger
    except UserError as error:
        text = pasteable(str(error))
        logger.error("%s", text)
        print(f"error: {text}", file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        logger.error("interrupted")
        print("interrupted", file=sys.stderr, flush=True)
        sys.exit(130)
    except SystemExit as end:
        if end.code not in (0, None):
            raise  # asked to end, e.g. by a cluster: extraction ends with 143
        logger.exception("ended before it was done")
        print(f"unexpected sys.exit()\nsee {log}", file=sys.stderr, flush=True)
        sys.exit(1)
    except Exception as error:
        if is_full(error):  # met by something that isn't written through `saying_where`
            logger.exception("no room")
            where = getattr(error, "filename", None) or "a file of this job"
            print(f"error: {where}: {explain_write(error)}", file=sys.stderr, flush=True)
            sys.exit(1)
        logger.exception("unexpected failure")
        print(f"unexpected {type(error).__name__}: {error}\nsee {log}", file=sys.stderr, flush=True)
        sys.exit(1)
    finally:
        root.removeHandler(to_file)
        to_file.close()
