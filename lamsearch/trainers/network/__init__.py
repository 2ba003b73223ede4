"""The built-in network: K two-layer ReLU networks trained side by side in one fused pass.

`weights` has the layers' arrays, `passes` the forward and backward pass and the step, `batches` the
mini-batches, `augmentation` what varies their images, `evaluation` the scores per example,
`curve_table` the curves, `checkpoint` what a resumed training needs, `export` the answers,
`trainer` the loop over all of them.
"""

from lamsearch.trainers.network.evaluation import class_scores, evaluate
from lamsearch.trainers.network.gradients import Gradients, gradients
from lamsearch.trainers.network.trainer import NetworkTrainer
from lamsearch.trainers.network.weights import Weights

__all__ = ["Gradients", "NetworkTrainer", "Weights", "class_scores", "evaluate", "gradients"]
