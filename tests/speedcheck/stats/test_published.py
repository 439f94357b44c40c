"""The figures that the two published records print, to every digit."""

from __future__ import annotations

import pytest

from speedcheck.stats import bayes_mean_std, one_sample_t

TARGET = 3.28
SUB_3_MINUTES = [
    *(3.276, 3.2785, 3.2796, 3.2788, 3.2789, 3.2768, 3.2775, 3.2784, 3.2767, 3.2792, 3.2807),
    *(3.2801, 3.2805, 3.2777, 3.2789, 3.2799, 3.2786, 3.2776, 3.2791, 3.2808, 3.2776, 3.2786),
    *(3.2774, 3.2832, 3.277, 3.2789, 3.2784, 3.2766, 3.2755, 3.2784, 3.2798, 3.2825),
]
LONG_SHORT = [3.2777, 3.2795, 3.2784, 3.2782, 3.2778, 3.2778]


@pytest.mark.parametrize(
    ("losses", "printed", "exact"),
    [(SUB_3_MINUTES, "0.0001", "7.9226e-05"), (LONG_SHORT, "0.0007", "0.00069527")],
)
def test_p_values_are_the_published_ones(losses, printed, exact):
    p_value = one_sample_t(losses, TARGET).p_value
    assert f"{p_value:.4f}" == printed
    assert f"{p_value:.5g}" == exact


def test_bayesian_estimates_of_the_sub_3_record_print_every_published_digit():
    mean, std = bayes_mean_std(SUB_3_MINUTES)
    assert [repr(figure) for figure in (mean.estimate, mean.low, mean.high)] == [
        "3.27869375",
        "3.2781784751445135",
        "3.2792090248554864",
    ]
    assert [repr(figure) for figure in (std.estimate, std.low, std.high)] == [
        "0.0017621789337662857",
        "0.0014271074116428265",
        "0.002179878373699496",
    ]
