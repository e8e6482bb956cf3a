"""What schemathesis is not to try."""

import schemathesis


@schemathesis.hook
def filter_query(context, query):
    """An empty parameter is as good as absent, which no schema can say."""
    return has_no_empty(query)


@schemathesis.hook
def filter_case(context, case):
    """The same, for requests that are not made of a query alone."""
    return has_no_empty(case.query)


def has_no_empty(query):
    return all(value not in ("", [""], None) for value in dict(query or {}).values())
