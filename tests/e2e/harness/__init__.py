# SPDX-License-Identifier: Apache-2.0
"""Starts real programs and sonde on loopback, makes load, reads spans, and judges them by the programs' own logs."""
