# SPDX-License-Identifier: Apache-2.0
"""Generators of the demo model's training text; see tools/make_demo_model.py."""
