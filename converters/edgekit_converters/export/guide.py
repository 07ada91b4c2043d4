"""The README.md beside artifacts for phones and pages: the lines that load each of them.

The lines are for LiteRT 2, MediaPipe Tasks and LiteRT.js as of 2026.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.artifact import read_manifest
from edgekit.files import atomic_write
from edgekit.flatbuffer.graph import Graph, TensorView
from edgekit.manifest import Manifest

NAME = "README.md"
_MARK = "<!-- written by edgekit convert -->"
_MOST_LABELS = 8
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the lines of code need to know of one artifact.

    Attributes:
        file: Its file name.
        target: Name of its target.
        inputs: Its inputs.
        outputs: Its outputs.
        manifest: What it says of itself.
    """

    file: str
    target: str
    inputs: tuple[TensorView, ...]
    outputs: tuple[TensorView, ...]
    manifest: Manifest

    @property
    def classifies_pictures(self) -> bool:
        """Whether MediaPipe's ImageClassifier opens it: it finds all it needs in the file."""
        (first, *others) = self.inputs
        picture = not others and len(first.shape) == 4 and first.shape[-1] == 3
        known = self.manifest.task == "classify" and self.manifest.preprocessing is not None
        return picture and known and len(self.outputs) == 1


def write_guide(folder: Path, artifacts: Sequence[tuple[str, Path]]) -> Path | None:
    """Write the README.md of those artifacts that are for phones and pages.

    Args:
        folder: Where the artifacts stand.
        artifacts: Target and path of each.

    Returns:
        The file, or None if there is nothing to write. A README.md of somebody else is
        left alone: the text then goes into README.edgekit.md.
    """
    facts = [_facts(target, path) for target, path in artifacts if target in GUIDES]
    if not facts:
        return None
    place = folder / NAME
    if place.exists() and _MARK not in place.read_text(encoding="utf-8", errors="replace"):
        place = folder / "README.edgekit.md"
        _log.warning("%s is not edgekit's; how to load the artifacts is in %s", NAME, place)
    atomic_write(place, "\n".join([_MARK, *map(_section, facts)]))
    return place


def _facts(target: str, path: Path) -> Facts:
    graph = Graph(path)
    return Facts(
        file=path.name,
        target=target,
        inputs=tuple(graph.inputs),
        outputs=tuple(graph.outputs),
        manifest=read_manifest(path) or Manifest(name=path.stem),
    )


def _section(facts: Facts) -> str:
    lines = [
        f"# {facts.file}",
        "",
        f"For {facts.target}. `edgekit inspect` shows all of it.",
        "",
    ]
    lines += [f"- input {_port(each)}" for each in facts.inputs]
    lines += [f"- output {_port(each)}" for each in facts.outputs]
    lines += [f"- {each}" for each in (*_about_pictures(facts), *_about_labels(facts))]
    return "\n".join([*lines, "", GUIDES[facts.target](facts)])


def _port(tensor: TensorView) -> str:
    size = " x ".join(str(each) for each in tensor.shape)
    said = f"`{size}` {tensor.dtype}"
    if tensor.scale and not tensor.is_float:
        said += f", real value = {tensor.scale[0]:.6g} * (number - {tensor.zero_point[0]})"
    return said


def _about_pictures(facts: Facts) -> list[str]:
    """Say how a picture becomes the input."""
    known = facts.manifest.preprocessing
    if known is None:
        return []
    how = {
        "stretch": "stretched to the input's size",
        "crop": "its middle, scaled to the input's size",
        "letterbox": "fitted into the input's size, padded with 114",
    }[known.resize]
    if facts.inputs[0].dtype == "uint8":
        return [f"a picture: {known.color}, {how}, its bytes as they are"]
    mean, std = (
        ", ".join(f"{each:g}" for each in values) for values in (known.mean, known.std)
    )
    return [f"a picture: {known.color}, {how}, each value (byte - {mean}) / {std}"]


def _about_labels(facts: Facts) -> list[str]:
    labels = facts.manifest.labels
    if not labels:
        return []
    rest = f", ... ({len(labels)})" if len(labels) > _MOST_LABELS else ""
    return [f"labels, also in the file as labels.txt: {', '.join(labels[:_MOST_LABELS])}{rest}"]


_KOTLIN_CLASSIFIER = """\
```kotlin
// build.gradle: implementation("com.google.mediapipe:tasks-vision:latest.release")
// The file goes into src/main/assets.
import com.google.mediapipe.framework.image.BitmapImageBuilder
import com.google.mediapipe.tasks.core.BaseOptions
import com.google.mediapipe.tasks.vision.imageclassifier.ImageClassifier

val options = ImageClassifier.ImageClassifierOptions.builder()
    .setBaseOptions(BaseOptions.builder().setModelAssetPath("{file}").build())
    .setMaxResults(3)
    .build()
val classifier = ImageClassifier.createFromOptions(context, options)
val result = classifier.classify(BitmapImageBuilder(bitmap).build())
val best = result.classificationResult().classifications()[0].categories()[0]
println("${{best.categoryName()}} ${{best.score()}}")
```
"""

_KOTLIN_COMPILED = """\
```kotlin
// build.gradle: {packages}
// The file goes into src/main/assets.
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel

val model = CompiledModel.create(
    context.assets, "{file}", CompiledModel.Options(Accelerator.{accelerator}))
val inputs = model.createInputBuffers()
val outputs = model.createOutputBuffers()
inputs[0].writeFloat(values)  // FloatArray of {count} values
model.run(inputs, outputs)
val scores = outputs[0].readFloat()
```
"""

_KOTLIN_INTERPRETER = """\
```kotlin
// build.gradle: implementation("com.google.ai.edge.litert:litert:2.3.0")
// The file goes into src/main/assets; it must stay uncompressed there:
// androidResources {{ noCompress += "tflite" }}
import java.io.FileInputStream
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import org.tensorflow.lite.Interpreter

val asset = context.assets.openFd("{file}")
val model = FileInputStream(asset.fileDescriptor).channel.map(
    FileChannel.MapMode.READ_ONLY, asset.startOffset, asset.declaredLength)
val interpreter = Interpreter(model)
val input = ByteBuffer.allocateDirect({count}).put(bytes)  // ByteArray of {count} bytes
val output = ByteBuffer.allocateDirect({outputs})
interpreter.run(input.rewind(), output)
val numbers = ByteArray({outputs}).also {{ output.rewind(); output.get(it) }}
val scores = numbers.map {{ {scale} * ({number} - ({zero})) }}
```
"""

_SWIFT_CLASSIFIER = """\
```swift
// Podfile: pod 'MediaPipeTasksVision'; the file belongs to the app's resources.
import MediaPipeTasksVision

let options = ImageClassifierOptions()
options.baseOptions.modelAssetPath = Bundle.main.path(forResource: "{stem}", ofType: "tflite")!
options.maxResults = 3
let classifier = try ImageClassifier(options: options)
let result = try classifier.classify(image: MPImage(uiImage: image))
let best = result.classificationResult.classifications[0].categories[0]
print(best.categoryName ?? "", best.score)
```
"""

_SWIFT_INTERPRETER = """\
```swift
// Podfile: pod 'TensorFlowLiteSwift'; the file belongs to the app's resources.
import TensorFlowLite

let path = Bundle.main.path(forResource: "{stem}", ofType: "tflite")!
let interpreter = try Interpreter(modelPath: path)
try interpreter.allocateTensors()
// values: [{swift}] of {count} values
let input = values.withUnsafeBufferPointer {{ Data(buffer: $0) }}
try interpreter.copy(input, toInputAt: 0)
try interpreter.invoke()
let output = try interpreter.output(at: 0).data
let scores = output.withUnsafeBytes {{ Array($0.bindMemory(to: {swift}.self)) }}
```
"""

_JAVASCRIPT = """\
```js
// npm install @litertjs/core; serve node_modules/@litertjs/core/wasm/ beside the page.
import {{loadLiteRt, loadAndCompile, Tensor}} from '@litertjs/core';

await loadLiteRt('/wasm/');
const model = await loadAndCompile('/{file}', {{accelerator: 'wasm'}});
const input = new Tensor(values, {shape});  // {array} of {count} values
const [output] = await model.run([input]);
const scores = await output.data();
input.delete();
output.delete();
```
"""


_LITERT = 'implementation("com.google.ai.edge.litert:litert:2.3.0")'
_PACKAGES = {
    "CPU": (_LITERT,),
    "GPU": (_LITERT, 'implementation("com.google.ai.edge.litert:litert-gpu:2.3.0")'),
}


def _count(tensor: TensorView) -> int:
    count = 1
    for size in tensor.shape:
        count *= size
    return count


def _several(facts: Facts) -> str:
    """Warn that the lines show the first input and output only."""
    if len(facts.inputs) == len(facts.outputs) == 1:
        return ""
    return "\nThe lines show the first input and output; the others go the same way.\n"


def _android(facts: Facts) -> str:
    if facts.classifies_pictures and facts.inputs[0].dtype in {"uint8", "float32"}:
        return _KOTLIN_CLASSIFIER.format(file=facts.file)
    return _kotlin(facts, "CPU")


def _android_gpu(facts: Facts) -> str:
    return _kotlin(facts, "GPU")


def _kotlin(facts: Facts, accelerator: str) -> str:
    first, result = facts.inputs[0], facts.outputs[0]
    if first.dtype == result.dtype == "float32":
        shown = _KOTLIN_COMPILED.format(
            file=facts.file,
            accelerator=accelerator,
            count=_count(first),
            packages="; ".join(_PACKAGES[accelerator]),
        )
    else:
        shown = _KOTLIN_INTERPRETER.format(
            file=facts.file,
            count=first.nbytes,
            outputs=result.nbytes,
            number="it.toUByte().toInt()" if result.dtype == "uint8" else "it.toInt()",
            scale=f"{result.scale[0]:.9g}f" if result.scale else "1f",
            zero=result.zero_point[0] if result.zero_point else 0,
        )
    return shown + _several(facts)


def _ios(facts: Facts) -> str:
    stem = Path(facts.file).stem
    if facts.classifies_pictures and facts.inputs[0].dtype in {"uint8", "float32"}:
        return _SWIFT_CLASSIFIER.format(stem=stem)
    types = {"float32": "Float32", "uint8": "UInt8", "int8": "Int8"}
    shown = _SWIFT_INTERPRETER.format(
        stem=stem,
        swift=types.get(facts.inputs[0].dtype, "Float32"),
        count=_count(facts.inputs[0]),
    )
    return shown + _several(facts)


def _web(facts: Facts) -> str:
    first = facts.inputs[0]
    array = {"float32": "Float32Array", "uint8": "Uint8Array"}.get(first.dtype, "Int32Array")
    shown = _JAVASCRIPT.format(
        file=facts.file, shape=list(first.shape), array=array, count=_count(first)
    )
    return shown + _several(facts)


# Target -> the lines that load its artifact.
GUIDES: dict[str, Callable[[Facts], str]] = {
    "android": _android,
    "android-gpu": _android_gpu,
    "ios": _ios,
    "web": _web,
}
