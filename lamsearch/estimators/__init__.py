"""The scikit-learn face: estimators that search λ inside `fit`.

Enters: an estimator, examples as scikit-learn's users have them. Leaves: a fitted estimator that
says which λ it chose and how sure that is. Refuses to know test sets: those are whatever the user
keeps to themselves.
"""
