"""Text as a value of a filter, so that no value can end it early and say something else. Pure."""

import json


def scim(text: str) -> str:
    """For SCIM (RFC 7644 section 3.4.2.2), whose filters Okta's API takes, too: a JSON string."""
    return json.dumps(text, ensure_ascii=False)


def odata(text: str) -> str:
    """For OData (4.01, URL Conventions): a quote within is doubled."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
