"""Streamed answers: how long their gaps are, and how one that broke off goes on elsewhere."""
