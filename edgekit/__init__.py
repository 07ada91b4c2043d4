"""edgekit: Keras models to verified, measured int8 models on small devices.

    import edgekit

    model = edgekit.load("model.tflite")
    y = model(x)

Every name is imported when it is first used, so that this costs nothing and a device
never meets TensorFlow.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.evaluation.compare import compare
    from edgekit.evaluation.evaluate import evaluate
    from edgekit.inspection import inspect
    from edgekit.profiling.estimate import estimate
    from edgekit.profiling.profile import profile
    from edgekit.runtime import load

# name -> (module, what it needs that module for)
_PLACES = {
    "compare": ("edgekit.evaluation.compare", "compare models"),
    "convert": ("edgekit_converters.api", "convert models"),
    "estimate": ("edgekit.profiling.estimate", "estimate latencies"),
    "evaluate": ("edgekit.evaluation.evaluate", "evaluate models"),
    "inspect": ("edgekit.inspection", "inspect models"),
    "load": ("edgekit.runtime", "run models"),
    "profile": ("edgekit.profiling.profile", "profile models"),
    "prune": ("edgekit_converters.prune", "prune models"),
    "quantize": ("edgekit_converters.api", "quantize models"),
}

__all__ = [
    "compare",
    "convert",
    "estimate",
    "evaluate",
    "inspect",
    "load",
    "profile",
    "prune",
    "quantize",
]


def __getattr__(name: str) -> Any:
    """Import a public function on first use."""
    if name not in _PLACES:
        msg = f"module 'edgekit' has no attribute {name!r}"
        raise AttributeError(msg)
    from edgekit.extras import need

    module, why = _PLACES[name]
    found = getattr(need(module, why), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
