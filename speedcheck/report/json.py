"""Certificates as JSON: one object, or a list where there are several."""

from __future__ import annotations

import json

from speedcheck.certificate import Certificate


def certificates_json(certificates: list[Certificate]) -> str:
    """Return one certificate as an object, none or several as a list; ends in a newline."""
    if len(certificates) == 1:
        return certificates[0].to_json()
    items = [certificate.to_dict() for certificate in certificates]
    return json.dumps(items, indent=2, allow_nan=False) + "\n"
