# SPDX-License-Identifier: MIT
"""`onemo new` and `onemo pki`: a product's folder, and certificates to develop with."""
