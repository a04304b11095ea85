# SPDX-License-Identifier: Apache-2.0
"""Measures whether sonde's links are right: real services, load with an identity in every path, and a judge."""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(ROOT), "e2e"))  # the harness
