"""What other programs are given of a study: ONNX models, runs in MLflow, W&B and TensorBoard.

Enters: a study's record, its models, its report. Leaves: files and runs in a form that those
programs own. Each exporter is one module, listed in `lamsearch.registries` and loaded when it is
asked for, as the library is that it needs. Refuses to know the command line, and to decide or
compute anything: numbers are those of the record.
"""

from lamsearch.exports.exporter import EXPORTERS, Export, Exporter
from lamsearch.exports.onnx_files import check_onnx, onnx_models

__all__ = ["EXPORTERS", "Export", "Exporter", "check_onnx", "onnx_models"]
