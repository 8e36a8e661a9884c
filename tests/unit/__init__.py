"""Tests of single modules, without parts."""
