"""The isolation matrix: every operation asked by everybody who should not get through."""
