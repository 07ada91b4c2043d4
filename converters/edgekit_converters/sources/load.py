"""Load a model file in the first way that works, and check it against tf_keras.

1. Keras 3 itself.
2. Rebuilt from tf_keras, layer by layer, with its weights.
3. tf_keras, as a legacy backend.
4. A SavedModel that is no Keras model, as it is.

What Keras 3 makes of a file that Keras 2 wrote, itself or rebuilt, must compute what
tf_keras computes; else the next way is taken.
"""

import dataclasses
import logging
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from edgekit.errors import SourceError
from edgekit_converters.sources import gate, precision, rebuild, saved_model, shapes, tflite
from edgekit_converters.sources.checking import compare, random_feeds
from edgekit_converters.sources.custom import Custom, import_custom
from edgekit_converters.sources.describe import (
    input_specs,
    normalizes_itself,
    output_names,
    refuse_text,
)
from edgekit_converters.sources.invoke import predict
from edgekit_converters.sources.libraries import failures, keras, tf_keras
from edgekit_converters.sources.sniff import Sniffed, sniff
from edgekit_converters.sources.source import Kind, Source

_log = logging.getLogger(__name__)


def load_source(
    path: Path | str,
    *,
    import_modules: Sequence[Path | str] = (),
    trust: bool = False,
    input_shape: Sequence[int] | None = None,
) -> Source:
    """Import a model.

    Runs TensorFlow on a file from outside: call it in a guarded child process.

    Args:
        path: A `.keras`, `.h5`, `.hdf5` or float `.tflite` file, or a SavedModel folder.
        import_modules: Python files that define the layers and functions the model names.
            They are executed.
        trust: Whether Python code inside the file may run (Lambda layers).
        input_shape: Shape of one sample, for a model that leaves it open.

    Raises:
        SourceError: The file is no model, is damaged, needs what it does not carry, or was
            refused; the text says which and what to do.
    """
    sniffed = sniff(Path(path))
    if sniffed.format == "tflite":
        return tflite.load(sniffed, input_shape)
    custom = import_custom(Path(each) for each in import_modules)
    if sniffed.format == "saved_model":
        gate.refuse_saved_code(sniffed.path, trust=trust)
    else:
        gate.refuse_code(sniffed.path, sniffed.config, custom.names, trust=trust)
    return _Loader(sniffed, custom, trust=trust, input_shape=input_shape).load()


class _Loader:
    """The ways of loading one Keras file, in their order."""

    def __init__(
        self,
        sniffed: Sniffed,
        custom: Custom,
        *,
        trust: bool,
        input_shape: Sequence[int] | None,
    ) -> None:
        self._file = sniffed
        self._custom = custom
        self._trust = trust
        self._input_shape = input_shape
        self._attempts: list[str] = []

    def load(self) -> Source:
        """Take the first way that works."""
        modern = None
        if self._file.format != "saved_model":
            modern = self._attempt("Keras 3", self._load_keras)
            if modern is not None and self._file.by_keras_3:
                return self._source("keras", modern, "keras")
        legacy = self._attempt("tf_keras", self._load_tf_keras)
        if legacy is None:
            return self._without_tf_keras(modern)
        legacy = self._shaped(legacy, tf_keras())
        if modern is not None:
            checked = self._checked(modern, legacy, "Keras 3", "keras")
            if checked is not None:
                return checked
        rebuilt = self._attempt(
            "Rebuilding in Keras 3", lambda: rebuild.rebuild(legacy, self._custom.for_keras)
        )
        if rebuilt is not None:
            checked = self._checked(rebuilt, legacy, "Rebuilt", "rebuilt from tf_keras")
            if checked is not None:
                return checked
        note = (
            "tf_keras carries this model (Keras 3 cannot): it is quantized by the converter, "
            "without edgekit's own equalisation, bias correction and pruning."
        )
        return self._source("tf_keras", legacy, "tf_keras", notes=(note,))

    def _load_keras(self) -> Any:
        model = keras().models.load_model(
            self._file.path,
            custom_objects=self._custom.for_keras,
            compile=False,
            safe_mode=not self._trust,
        )
        return precision.in_float32(model, keras())

    def _load_tf_keras(self) -> Any:
        model = tf_keras().models.load_model(
            self._file.path,
            custom_objects=self._custom.for_tf_keras,
            compile=False,
            safe_mode=not self._trust,
        )
        if not isinstance(model, tf_keras().Model):
            msg = "it holds no Keras model"
            raise TypeError(msg)
        return precision.in_float32(model, tf_keras())

    def _attempt(self, way: str, function: Callable[[], Any]) -> Any:
        """Try one way; keep why it failed."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return function()
        except SourceError:
            raise
        except failures() as error:
            self._fail(way, f"{type(error).__name__}: {str(error).strip()[:2000]}")
            return None

    def _fail(self, way: str, why: str) -> None:
        self._attempts.append(f"{way}: {why}")
        _log.debug("%s cannot load %s: %s", way, self._file.path, why)

    def _without_tf_keras(self, modern: Any) -> Source:
        """Use what Keras 3 made of the file, or a plain SavedModel, or give up."""
        if modern is not None:
            note = (
                "tf_keras cannot read this file, so what Keras 3 read was not compared with it."
            )
            return self._source("keras", modern, "keras", notes=(note,))
        if self._file.format == "saved_model":
            model = self._attempt(
                "TensorFlow", lambda: saved_model.open_folder(self._file.path)
            )
            if model is not None:
                return saved_model.describe(
                    model, self._file.path, self._input_shape, tuple(self._attempts)
                )
        raise self._hopeless()

    def _hopeless(self) -> SourceError:
        """Say why nothing could load the file."""
        path, config = self._file.path, self._file.config
        known = self._custom.names.union(
            *(
                dir(part)
                for lib in (keras(), tf_keras())
                for part in (lib.layers, lib.activations)
            )
        )
        if unknown := gate.unknown_names(config, known):
            return gate.unknown_class(path, unknown)
        first = [f"  {line.splitlines()[0][:300]}" for line in self._attempts]
        wrote = (
            f" (written by Keras {self._file.keras_version})"
            if self._file.keras_version
            else ""
        )
        return SourceError(
            "\n".join([f"No library could load {path}{wrote}:", *first])
            + "\nLoad it where it was made and save it with model.save('model.keras')."
        )

    def _shaped(self, model: Any, library: Any) -> Any:
        return shapes.with_fixed_shape(model, library, self._input_shape, self._file.path)

    def _checked(self, model: Any, legacy: Any, way: str, loaded_by: str) -> Source | None:
        """Use a model if it computes what tf_keras computes."""
        source = self._source("keras", model, loaded_by)
        found = self._attempt(f"Comparing {way}", lambda: _difference(source, legacy))
        if found is None:
            return None
        difference, allowed = found
        if difference > allowed:
            self._fail(way, f"differs from tf_keras by {difference:.2g} (limit {allowed:.2g})")
            return None
        notes = source.notes
        if loaded_by != "keras":
            how = (
                f"Keras 3 cannot read this file; it was rebuilt from tf_keras and differs by "
                f"{difference:.2g} of the largest output (limit {allowed:.2g})."
            )
            notes = (*notes, how)
        return dataclasses.replace(
            source,
            difference=difference,
            notes=notes,
            outputs=tuple(name.replace("/", "_") for name in output_names(legacy)),
            attempts=tuple(self._attempts),
        )

    def _source(
        self, kind: Kind, model: Any, loaded_by: str, notes: tuple[str, ...] = ()
    ) -> Source:
        """Describe a model."""
        model = self._shaped(model, keras() if kind == "keras" else tf_keras())
        specs = input_specs(model)
        refuse_text(specs)
        return Source(
            kind=kind,
            model=model,
            path=self._file.path,
            loaded_by=loaded_by,
            inputs=specs,
            outputs=output_names(model),
            manifest=self._file.manifest,
            normalizes_itself=normalizes_itself(model),
            notes=notes,
            attempts=tuple(self._attempts),
        )


def _difference(source: Source, legacy: Any) -> tuple[float, float]:
    """Compare a source with tf_keras: how far it is from it, and how far it may be."""
    feeds = random_feeds(source.inputs, normalizes_itself=source.normalizes_itself, batch=2)
    return compare(partial(predict, legacy), partial(predict, source.model), feeds)
