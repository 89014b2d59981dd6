# SPDX-License-Identifier: MIT
"""The manual's tables of suites and series."""

from pathlib import Path

# Id and name, line by line as the manual's appendix prints them.
SUITES = {
    int(number, 16): name
    for number, name in (
        line.split()
        for line in (Path(__file__).parents[1] / "data/suites.txt").read_text().splitlines()
    )
}

_SERIES = """
MN316: MN316-DBRS/MN316-DLVS
MN316-S: MN316-S-DLVS
MN326: MN326-X
ML302A: ML302A-DCLM/ML302A-DSLM/ML302A-GCLM/ML302A-GSLM
ML302S: ML302S-DNLM
ML305A: ML305A-DC/ML305A-DS/ML305A-DL
ML307A: ML307A-DCLN/ML307A-DSLN/ML307A-GCLN/ML307A-GSLN/ML307A-DL
ML307S: ML307S-DNLM
ML305U: ML305U-DBLN
ML305M: ML305M-DSLM
ML307R: ML307R-DC/ML307R-DL
ML307G: ML307G-DL
"""  # manual 1.1, table 1

SUBMODELS = {
    series: tuple(names.split("/"))
    for series, names in (line.split(": ") for line in _SERIES.split("\n") if line)
}
