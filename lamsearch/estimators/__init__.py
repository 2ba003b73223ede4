"""The scikit-learn face: estimators that search λ inside `fit`.

Enters: an estimator, examples. Leaves: a fitted estimator that says which λ it chose and how sure
that is. Refuses to know storages, workers and test sets.
"""
