"""The trainer `sklearn`: scikit-learn's own estimators that have an L2 penalty.

Enters: a study's [trainer] with the estimator's name and parameters. Leaves: outcomes and models of
its candidates. Nothing is imported by a name of a study file but what `catalogue` lists.
"""
