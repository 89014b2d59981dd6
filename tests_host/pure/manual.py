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

_NEWER = """
ML307C: DL-CN/DC-CN/GC-CN/DC-EM/DL-EM
ML307M: DL/DA/DH
ML307N: DC/DL
ML307X: DB/DC
ML307Y: DL
ML307H: MU/DC/GC
ML307H-DU:
ML307H-GU:
MR880A:
MN316A: D/DC
MN318: BX/LC/LX
MN319: DL
MN326A: DG
"""  # SSL manual V5.4.5 1.1, TCP/IP manual V5.1.5 1.1, and for ML307C, H and Y the market

NEWER = {
    series: tuple(f"{series}-{name}" for name in names.strip().split("/") if name)
    for series, names in (line.split(":") for line in _NEWER.split("\n") if line)
}
LATER = {"ML307G": ("ML307G-DC",), "ML307R": ("ML307R-BL", "ML307R-MC", "ML307R-ML")}
