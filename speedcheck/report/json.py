"""Certificates as JSON: one object, or a list where there are several."""

from __future__ import annotations

import json
from collections.abc import Sequence

from speedcheck.certificate import Certificate


def certificates_json(certificates: Sequence[Certificate], *, as_list: bool = False) -> str:
    """Return one certificate as an object, none or several as a list; ends in a newline.

    Args:
        certificates: what was judged.
        as_list: make a list of one, too, since there were others that could not be judged.
    """
    if len(certificates) == 1 and not as_list:
        text = certificates[0].to_json()
    else:
        items = [certificate.to_dict() for certificate in certificates]
        text = json.dumps(items, indent=2, allow_nan=False) + "\n"
    # A GitHub runner obeys `##[name]` anywhere. It can only stand inside a string, and this is
    # the same string.
    return text.replace("##[", r"#\u0023[")
