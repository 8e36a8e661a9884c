"""Tests of libs/common on the real parts, with two small services of their own."""
