"""Which runs are the evidence: every run counts unless an enumerated reason excludes it.

No reason depends on a result, and neither a file name nor a README decides.
"""

from __future__ import annotations

from speedcheck.sample.sample import Group, Sample, Selection
from speedcheck.sample.take import take_sample

__all__ = ["Group", "Sample", "Selection", "take_sample"]
