# SPDX-License-Identifier: MIT
# The same with the module tls, as the boards with a network have it. mbedTLS is in every build.
list(APPEND MICROPY_DEF_BOARD MICROPY_PY_SSL=1)
