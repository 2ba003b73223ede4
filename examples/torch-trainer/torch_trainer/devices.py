"""Which device the modules are trained on. Enters: a name, or ``auto``. Leaves: what is here."""

from __future__ import annotations

import torch

from lamsearch.trainers import Device


def found(wanted: str) -> Device:
    """Return the device of a name, such as ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.

    ``auto`` is the first of cuda, mps and cpu that there is.

    Raises:
        ValueError: There is none such here.
    """
    here = _here()
    name = next(iter(here)) if wanted == "auto" else wanted
    name = f"{name}:0" if f"{name}:0" in here else name
    if name not in here:
        raise ValueError(f"must be one that PyTorch has here ({', '.join(here)}), got {wanted!r}")
    return Device(name=name, model=here[name])


def _here() -> dict[str, str]:
    """The devices that there are, the fastest first, each with what it is."""
    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    version = f"CUDA {torch.version.cuda}"
    devices = {
        f"cuda:{k}": f"{torch.cuda.get_device_name(k)}, {version}, PyTorch {torch.__version__}"
        for k in range(cards)
    }
    if torch.backends.mps.is_available():
        devices["mps"] = f"PyTorch {torch.__version__}"
    return {**devices, "cpu": ""}
