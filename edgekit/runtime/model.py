"""A model that is ready to run: real values in, real values out."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.artifact import read_manifest
from edgekit.errors import InputError, UsageError
from edgekit.manifest import Manifest
from edgekit.runtime import problems
from edgekit.runtime.backends import Backend
from edgekit.runtime.quantize import INTEGERS, Quantizer

Array = NDArray[Any]
Values = Array | dict[str, Array]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or output of a model.

    Attributes:
        name: Name in the model's signature where it has one, else the tensor's name.
        shape: Its sizes, the batch of 1 included.
        dtype: Name of the numpy type that the file holds, e.g. `int8`.
        scale: Real units per integer step; 0 where the tensor is not quantized.
        zero_point: The integer that stands for real 0.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0

    @property
    def quantized(self) -> bool:
        """Whether integers stand for real values."""
        return self.scale != 0 and self.dtype in INTEGERS


@dataclass(frozen=True, slots=True)
class Port:
    """A tensor of the interpreter and how values get in or out.

    Attributes:
        index: Its number in the interpreter.
        spec: What it is.
    """

    index: int
    spec: TensorSpec


class Model:
    """A loaded `.tflite` file. Made by `edgekit.runtime.load`.

    One model serves one thread at a time.

    Attributes:
        path: The file.
        inputs: What goes in.
        outputs: What comes out.
        backend: The interpreter package, e.g. `ai-edge-litert`.
        delegate: What runs the operators, e.g. `cpu` or `edgetpu:usb:0`.
        threads: Threads of the CPU kernels.
        runtime: The package and its version, e.g. `ai-edge-litert 2.3.0`.
        keep_state: Whether what a recurrent model remembers survives from call to call.
    """

    def __init__(
        self,
        interpreter: Any,
        ports: tuple[Sequence[Port], Sequence[Port]],
        *,
        path: Path,
        backend: Backend,
        delegate: str,
        threads: int,
        keep_state: bool = False,
    ) -> None:
        inputs, outputs = ports
        self.path = path
        self.inputs = tuple(port.spec for port in inputs)
        self.outputs = tuple(port.spec for port in outputs)
        self.backend = backend.name
        self.delegate = delegate
        self.threads = threads
        self.runtime = f"{backend.name} {backend.version}"
        self.keep_state = keep_state
        self._backend = backend
        self._interpreter = interpreter
        self._invoke = interpreter.invoke
        self._reset = interpreter.reset_all_variables
        self._set = interpreter.set_tensor
        self._get = interpreter.get_tensor
        self._shapes = [port.spec.shape for port in inputs]
        self._inputs = [
            (port.index, _encoder(port.spec), functools.partial(_exactly, port.spec))
            for port in inputs
        ]
        self._outputs = [(port.index, _decoder(port.spec)) for port in outputs]

    def __repr__(self) -> str:
        return f"<Model {self.path.name} on {self.runtime}, {self.delegate}>"

    @functools.cached_property
    def manifest(self) -> Manifest | None:
        """What the file carries about itself, or None.

        Raises:
            RecordError: The manifest is of a later schema, or damaged.
        """
        return read_manifest(self.path)

    def __call__(self, x: ArrayLike | Mapping[str, ArrayLike]) -> Values:
        """Run the model on real values.

        Args:
            x: One sample of the input's shape, or (N, ...) for N samples one after the
                other; a dict by input name for a model with several inputs. Quantized
                inputs are rounded to their integers.

        Returns:
            Real values: the output's array, or a dict by name for several outputs. N
            samples give (N, ...). The arrays are the caller's.

        Raises:
            UsageError: Names, shapes or types do not fit the model.
            InputError: A value is NaN, or the model fails on this input.
        """
        return self._run(x, real=True)

    def raw(self, x: ArrayLike | Mapping[str, ArrayLike]) -> Values:
        """Run the model on the values that its tensors hold, e.g. int8, without conversion.

        Args:
            x: As for a call, of types that fit the inputs without loss.

        Returns:
            As for a call, in the types of the outputs.

        Raises:
            UsageError: Names, shapes or types do not fit the model.
            InputError: The model fails on this input.
        """
        return self._run(x, real=False)

    def invoke(self) -> None:
        """Run once more on the inputs of the last call; `edgekit profile` times this."""
        self._invoke()

    def reset(self) -> None:
        """Forget what a recurrent model remembers; only of use with `keep_state`."""
        self._reset()

    def _run(self, x: ArrayLike | Mapping[str, ArrayLike], *, real: bool) -> Values:
        arrays = self._arrays(x)
        if [array.shape for array in arrays] == self._shapes:
            results = self._once(arrays, real=real)
        else:
            results = self._each(arrays, self._count(arrays), real=real)
        if len(results) == 1:
            return results[0]
        return {spec.name: result for spec, result in zip(self.outputs, results, strict=True)}

    def _arrays(self, x: ArrayLike | Mapping[str, ArrayLike]) -> list[Array]:
        """Put what was given into the order of the inputs."""
        if isinstance(x, Mapping):
            return self._by_name(x)
        if len(self.inputs) != 1:
            msg = f"{self.path.name} has several inputs; give a dict with {self._names()}."
            raise UsageError(msg)
        return [np.asarray(x)]

    def _by_name(self, x: Mapping[str, ArrayLike]) -> list[Array]:
        if x.keys() != {spec.name for spec in self.inputs}:
            msg = (
                f"{self.path.name} has the inputs {self._names()}; "
                f"found {', '.join(map(str, x)) or 'none'}."
            )
            raise UsageError(msg)
        return [np.asarray(x[spec.name]) for spec in self.inputs]

    def _names(self) -> str:
        return ", ".join(spec.name for spec in self.inputs)

    def _once(self, arrays: Sequence[Array], *, real: bool) -> list[Array]:
        for (index, encode, exactly), array in zip(self._inputs, arrays, strict=True):
            self._set(index, encode(array) if real else exactly(array))
        if not self.keep_state:
            self._reset()
        try:
            self._invoke()
            found = [self._get(index) for index, _ in self._outputs]
        except problems.NATIVE as error:
            raise problems.of_model(error, self.path, self._backend) from error
        if real:
            return [decode(y) for y, (_, decode) in zip(found, self._outputs, strict=True)]
        return found

    def _each(self, arrays: Sequence[Array], count: int, *, real: bool) -> list[Array]:
        """Run N samples one after the other."""
        if count == 0:
            return [np.empty((0, *spec.shape[1:]), _given(spec, real)) for spec in self.outputs]
        rows = [
            self._once([array[i : i + 1] for array in arrays], real=real) for i in range(count)
        ]
        columns = zip(self.outputs, zip(*rows, strict=True), strict=True)
        return [_joined(spec, column) for spec, column in columns]

    def _count(self, arrays: Sequence[Array]) -> int:
        """How many samples were given.

        Raises:
            UsageError: A shape does not fit, or the inputs differ in number.
        """
        for spec, array in zip(self.inputs, arrays, strict=True):
            if not _is_batch(array.shape, spec.shape):
                raise UsageError(_shape_words(spec, array.shape))
        counts = {spec.name: len(a) for spec, a in zip(self.inputs, arrays, strict=True)}
        if len(set(counts.values())) > 1:
            found = ", ".join(f"{name} {count}" for name, count in counts.items())
            msg = f"Every input needs the same number of samples; found {found}."
            raise UsageError(msg)
        return len(arrays[0])


def _is_batch(found: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return len(found) == len(wanted) > 0 and wanted[0] == 1 and found[1:] == wanted[1:]


def _shape_words(spec: TensorSpec, found: tuple[int, ...]) -> str:
    many = f", or (N, {', '.join(map(str, spec.shape[1:]))})" if spec.shape[:1] == (1,) else ""
    text = f"Input '{spec.name}' has the shape {spec.shape}{many}; found {found}."
    if found == spec.shape[1:]:
        text += "\nAdd the batch dimension: x[None]."
    return text


def _given(spec: TensorSpec, real: bool) -> str:
    """The type in which an output is returned."""
    return "float32" if real and spec.quantized else spec.dtype


def _joined(spec: TensorSpec, samples: Sequence[Array]) -> Array:
    """Put the results of several samples together along the batch dimension."""
    if len({sample.shape for sample in samples}) > 1:
        msg = (
            f"Output '{spec.name}' has another size for each sample; "
            "run the samples one at a time."
        )
        raise UsageError(msg)
    if samples[0].shape[:1] == (1,):
        return np.concatenate(samples)
    return np.stack(samples)


def _encoder(spec: TensorSpec) -> Callable[[Array], Array]:
    """How real values become what an input holds; chosen once, at loading."""
    if spec.quantized:
        quantizer = Quantizer(spec.shape, spec.dtype, spec.scale, spec.zero_point)
        return functools.partial(_quantized, spec.name, quantizer)
    if spec.dtype.startswith("float"):
        return functools.partial(_floats, spec)
    return functools.partial(_exactly, spec)


def _decoder(spec: TensorSpec) -> Callable[[Array], Array]:
    """How what an output holds becomes real values."""
    if spec.quantized:
        return Quantizer((), spec.dtype, spec.scale, spec.zero_point).dequantize
    return _same


def _same(values: Array) -> Array:
    return values


def _quantized(name: str, quantizer: Quantizer, values: Array) -> Array:
    if values.dtype != np.float32:
        values = _numbers(name, values).astype(np.float32)
    try:
        return quantizer.quantize(values)
    except InputError as error:
        msg = f"Input '{name}': {error}\nWhat makes this input divides by zero, or is silent?"
        raise InputError(msg) from error


def _floats(spec: TensorSpec, values: Array) -> Array:
    if values.dtype != spec.dtype:
        values = _numbers(spec.name, values).astype(spec.dtype)
    if values.size and np.isnan(values.max()):
        msg = (
            f"Input '{spec.name}': a value is NaN; the model cannot give anything of use.\n"
            "What makes this input divides by zero, or is silent?"
        )
        raise InputError(msg)
    return values


def _numbers(name: str, values: Array) -> Array:
    if values.dtype.kind not in "fiub":
        msg = f"Input '{name}' takes numbers; found an array of {values.dtype}."
        raise UsageError(msg)
    return values


def _exactly(spec: TensorSpec, values: Array) -> Array:
    """Convert to the tensor's own type if nothing is lost by that."""
    wanted = np.dtype(spec.dtype)
    if values.dtype == wanted or wanted.kind in "SUO":
        return values
    _numbers(spec.name, values)
    with np.errstate(invalid="ignore", over="ignore"):
        converted = values.astype(wanted)
    if not np.array_equal(converted, values):
        msg = (
            f"Input '{spec.name}' holds {spec.dtype}; the {values.dtype} values that were "
            "given do not fit into it without loss."
        )
        raise UsageError(msg)
    return converted
