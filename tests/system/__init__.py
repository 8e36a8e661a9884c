"""Tests of the platform on its real parts."""
