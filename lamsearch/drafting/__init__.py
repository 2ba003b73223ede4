"""A first study file for somebody's own data, or one of the examples that come with lamsearch.

Enters: where data are, what is to be predicted. Leaves: the text of a study file that has been
checked against these data, or one sentence. Refuses to train, and to write anything itself.
"""

from lamsearch.drafting.draft import Asked, draft
from lamsearch.drafting.examples import EXAMPLES, Example, example

__all__ = ["EXAMPLES", "Asked", "Example", "draft", "example"]
