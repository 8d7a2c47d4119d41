"""Runs one file of gabbi's, unmodified, and prints what each test came to.

    python gabbi_runner.py URL FILE

prints a JSON object: name of each test -> null, or why it failed. It runs in gabbi's environment,
without ratekit. A file's fixtures are not used: the server has its data already.
"""

import json
import os
import pathlib
import sys
import unittest

from gabbi import handlers, suitemaker, utils
from gabbi.handlers import base


class EnvironStoreHandler(base.ResponseHandler):
    """Remembers parts of an answer in the environment, for the requests that follow.

    CloudKitty's files use it; the original is in its tests, which need all of CloudKitty.
    """

    test_key_suffix = "store_environ"
    test_key_value = {}  # noqa: RUF012 - gabbi copies it

    def action(self, test, key, value=None):
        """Set the variable ``key`` to what the JSON path ``value`` selects."""
        [json_handler] = [each for each in test.content_handlers if hasattr(each, "loads")]
        os.environ[key] = str(json_handler.extract_json_path_value(test.response_data, value))


def main() -> None:
    """Run the tests in their order; each may use answers of earlier ones."""
    url, path = sys.argv[1:]
    host, port, prefix, _ = utils.host_info_from_target(url)
    with pathlib.Path(path).open(encoding="utf-8") as file:
        content = utils.load_yaml(file)
    classes = [*handlers.RESPONSE_HANDLERS, EnvironStoreHandler]
    suite = suitemaker.test_suite_from_dict(
        unittest.defaultTestLoader,
        "judge",
        content,
        str(pathlib.Path(path).parent),
        host,
        port,
        None,
        None,
        prefix=prefix,
        handlers=[handler() for handler in classes],
    )
    outcome = unittest.TestResult()
    suite.run(outcome)
    results = dict.fromkeys(test["name"] for test in content["tests"])
    for case, text in [*outcome.failures, *outcome.errors]:
        _, _, reason = text.rpartition("AssertionError: ")
        results[case.test_data["name"]] = " ".join(reason.split())[:400]
    print(json.dumps(results))


main()
