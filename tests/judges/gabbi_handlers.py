"""A response handler that CloudKitty's gabbi files need; imported by gabbi, without ratekit."""

import os

from gabbi.handlers import base


class EnvironStoreHandler(base.ResponseHandler):  # type: ignore[misc]
    """Remembers parts of an answer in the environment, for the requests that follow."""

    test_key_suffix = "store_environ"
    test_key_value: dict[str, str] = {}  # noqa: RUF012 - gabbi copies it

    def action(self, test, key, value=None):  # type: ignore[no-untyped-def]
        """Set the variable ``key`` to what the JSON path ``value`` selects."""
        [json_handler] = [each for each in test.content_handlers if hasattr(each, "loads")]
        os.environ[key] = str(json_handler.extract_json_path_value(test.response_data, value))
