"""The scikit-learn face: estimators that search λ inside `fit`.

Enters: examples as scikit-learn's users have them. Leaves: fitted estimators that say which λ they
chose and how sure that is. Refuses to decide: the search is the one of study files.
"""
