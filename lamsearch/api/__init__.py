"""What lamsearch is in Python: studies run, results and models read, own functions searched.

Enters: study files, tables, arrays, functions. Leaves: `Result` and `Ensemble`. Decides nothing and
computes no number of a result: the service's own rooms do.
"""
