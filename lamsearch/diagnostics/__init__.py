"""Diagnostics: short trials of the machinery itself, before anything is searched.

Enters: sizes, or a function to be checked. Leaves: plain records and numbers. Refuses to know
studies' storage, files and how results are shown.
"""
