"""The built-in network: K networks of any depth trained side by side in fused passes.

`weights` has the layers' arrays; `layers`, `batch_norm`, `activations` and `dropout` have what
stands between their products, `losses` what becomes of class scores, `passes` the forward and
backward pass, `optimisers` the steps by the `rules`, `inference` the forward pass alone, `batches`
the mini-batches, `augmentation` what varies their images, `own_settings` what models of a cohort
may differ in, `evaluation` the scores per example, `curve_table` the curves, `checkpoint` what a
resumed training needs, `export` the answers, `trainer` the loop over all of them.
"""

from lamsearch.trainers.network.evaluation import class_scores, evaluate
from lamsearch.trainers.network.gradients import Gradients, gradients
from lamsearch.trainers.network.trainer import NetworkTrainer
from lamsearch.trainers.network.weights import Weights

__all__ = ["Gradients", "NetworkTrainer", "Weights", "class_scores", "evaluate", "gradients"]
