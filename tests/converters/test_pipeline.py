"""From a Keras file to verified artifacts, and every way that this ends."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pairs import Node, conv, dense, outputs, pair_of

from edgekit.artifact import read_manifest
from edgekit.errors import GateError, SourceError, TargetError, UsageError
from edgekit.flatbuffer import pack
from edgekit.flatbuffer.graph import Graph
from edgekit.records import from_json, to_json
from edgekit.runtime import load
from edgekit_converters.pipeline import Conversion, convert, quantize
from edgekit_converters.recipe import Recipe, read_recipe

pytestmark = pytest.mark.tf

TARGETS = {"raspberry-pi-4": "float32", "coral-usb": "int8", "android": "uint8"}


@pytest.fixture(scope="module")
def made(
    spots_model: Path, spots: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Conversion, Path]:
    out = tmp_path_factory.mktemp("out")
    recipe = Recipe(
        model=str(spots_model),
        targets=tuple(TARGETS),
        calibrate=str(spots),
        evaluate=str(spots),
        max_drop=5.0,
    )
    return convert(recipe, out), out


def test_each_target_gets_a_fully_integer_artifact_with_its_own_io(
    made: tuple[Conversion, Path],
) -> None:
    conversion, out = made
    for each in conversion.artifacts:
        path = out / f"spots.{each.target}.tflite"
        assert each.path == str(path)
        assert each.bytes == path.stat().st_size
        assert each.fully_integer
        assert Graph(path).fully_integer
        model = load(path)
        assert {spec.dtype for spec in (*model.inputs, *model.outputs)} == {
            TARGETS[each.target]
        }


def test_quantization_keeps_the_accuracy_and_says_so(made: tuple[Conversion, Path]) -> None:
    for each in made[0].artifacts:
        assert each.float is not None
        assert each.quantized is not None
        assert each.float.metric == each.quantized.metric == "accuracy"
        assert each.float.value >= 0.95
        assert each.drop == pytest.approx(each.float.value - each.quantized.value)
        assert each.agreement is not None
        assert each.agreement >= 0.95


def test_an_artifact_describes_itself(made: tuple[Conversion, Path]) -> None:
    conversion, out = made
    manifest = read_manifest(out / "spots.coral-usb.tflite")
    assert manifest is not None
    assert (manifest.target, manifest.scheme) == ("coral-usb", "int8")
    assert manifest.source == conversion.source
    assert manifest.calibration is not None
    assert manifest.calibration.samples == 90
    assert manifest.evidence["verify"]["agreement"] == conversion.artifacts[1].agreement
    assert [each.role for each in manifest.outputs] == ["probabilities"]


def test_all_targets_compute_the_same_within_two_steps(
    made: tuple[Conversion, Path], spots: Path
) -> None:
    x = np.load(spots)["x"][:8] / np.float32(255)
    found = [np.asarray(load(Path(each.path))(x)) for each in made[0].artifacts]
    for other in found[1:]:
        np.testing.assert_allclose(found[0], other, atol=2 / 256)


def test_the_recipe_it_wrote_repeats_the_run_bit_for_bit(
    made: tuple[Conversion, Path], tmp_path: Path
) -> None:
    recipe = from_json(Recipe, read_recipe(made[1] / "recipe.toml"), "recipe")
    convert(recipe, tmp_path)
    for name in TARGETS:
        file = f"spots.{name}.tflite"
        assert (tmp_path / file).read_bytes() == (made[1] / file).read_bytes()


def test_the_record_of_the_run_is_what_it_returned(made: tuple[Conversion, Path]) -> None:
    document = json.loads((made[1] / "run.json").read_text())
    assert {key: document[key] for key in to_json(made[0])} == to_json(made[0])


def test_nothing_but_the_results_is_left_in_the_folder(made: tuple[Conversion, Path]) -> None:
    names = {path.name for path in made[1].iterdir()}
    artifacts = {f"spots.{name}.tflite" for name in TARGETS}
    assert names == artifacts | {"run.json", "recipe.toml", "README.md"}


def test_a_refused_artifact_is_kept_beside(
    spots_model: Path, spots: Path, tmp_path: Path
) -> None:
    recipe = Recipe(
        model=str(spots_model), calibrate=str(spots), evaluate=str(spots), max_drop=-50.0
    )
    with pytest.raises(GateError, match="max-drop") as caught:
        convert(recipe, tmp_path)
    assert caught.value.document is not None
    assert caught.value.document["rejected"] is True
    assert (tmp_path / "spots.host.tflite.rejected").is_file()
    assert not (tmp_path / "spots.host.tflite").exists()


@pytest.mark.parametrize("scheme", ["int16x8", "dynamic", "float16", "weight-only"])
def test_every_other_scheme_gives_a_file_close_to_float(
    scheme: str, spots_model: Path, spots: Path, tmp_path: Path
) -> None:
    wishes = {"model": str(spots_model), "scheme": scheme, "evaluate": str(spots)}
    if scheme == "int16x8":
        wishes["calibrate"] = str(spots)
    found = quantize(from_json(Recipe, wishes, "test"), tmp_path / "one.tflite")
    assert load(tmp_path / "one.tflite").inputs[0].dtype == "float32"
    assert found.agreement is not None
    assert found.agreement >= 0.98
    assert min(found.sqnr_db.values()) > 25


def test_each_layer_is_diagnosed_and_may_stay_in_float(
    spots_model: Path, spots: Path, tmp_path: Path
) -> None:
    recipe = Recipe(
        model=str(spots_model), calibrate=str(spots), evaluate=str(spots), diagnose=True
    )
    layers = quantize(recipe, tmp_path / "all.tflite").layers
    assert [each.op for each in layers].count("CONV_2D") == 2
    assert sum(each.sensitivity for each in layers) == pytest.approx(1)
    assert {"name", "sqnr_db", "sensitivity", "cause", "remedy"} <= to_json(layers[0]).keys()
    name = layers[0].name
    kept = quantize(replace(recipe, keep_float=(name,)), tmp_path / "one.tflite")
    assert kept.kept_float == (name,)
    assert not kept.fully_integer
    (left,) = (each for each in kept.layers if each.name == name)
    assert (left.sensitivity, left.cause[:13]) == (0.0, "left in float")


def test_a_search_keeps_layers_in_float_until_the_limit_is_met(
    spots_model: Path, spots: Path, tmp_path: Path
) -> None:
    usual = Recipe(model=str(spots_model), calibrate=str(spots), evaluate=str(spots))
    easy = replace(usual, max_drop=50.0, auto_keep_float=True)
    assert quantize(easy, tmp_path / "easy.tflite").kept_float == ()
    with pytest.raises(GateError) as caught:
        quantize(replace(easy, max_drop=-50.0), tmp_path / "never.tflite")
    assert caught.value.document is not None
    assert caught.value.document["kept_float"] == []


def test_a_spoilt_layer_and_what_reads_it_stay_in_float(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, (100, 1, 8, 8, 3)).astype(np.float32)
    first, last = rng.normal(0, 0.3, (8, 3, 3, 3)), rng.normal(0, 0.3, (5, 512))
    first[3] *= 300
    last.reshape(5, 64, 8)[:, :, 3] /= 300
    net = {
        "a": conv(first, np.zeros(8), fused_activation_function=1),
        "b": Node(op="RESHAPE", inputs=("a",), weights=np.array([1, 512])),
        "c": dense(last, np.zeros(5), "b"),
    }
    original = pack(pair_of(net, (1, 8, 8, 3), x[:2]).float_graph.file.model)
    scores = outputs(original, x).reshape(100, 5)
    net["c"] = dense(last, -scores.mean(axis=0), "b")
    source, data = tmp_path / "spoilt.tflite", tmp_path / "data.npz"
    source.write_bytes(pack(pair_of(net, (1, 8, 8, 3), x[:2]).float_graph.file.model))
    np.savez(data, x=x[:, 0], y=(scores - scores.mean(axis=0)).argmax(axis=1))
    usual = Recipe(model=str(source), calibrate=str(data), evaluate=str(data), equalize=False)
    assert (quantize(usual, tmp_path / "all.tflite").drop or 0) > 0.1
    found = quantize(
        replace(usual, max_drop=3.0, auto_keep_float=True), tmp_path / "some.tflite"
    )
    assert found.kept_float == ("a", "c", "b")
    assert (found.drop or 0) <= 0.03


def test_several_inputs_and_outputs_keep_their_names_and_ranges(tmp_path: Path) -> None:
    import keras

    ends = [keras.Input((4,), name="image"), keras.Input((4,), name="extra")]
    near, far = (keras.layers.Dense(2)(each) for each in ends)
    both = {"sum": keras.layers.Add()([near, far]), "near": near}
    keras.Model(ends, both).save(tmp_path / "two.keras")
    rng = np.random.default_rng(0)
    image, extra = rng.uniform(0, 1, (60, 4)), rng.uniform(0, 100, (60, 4))
    data = tmp_path / "two.npz"
    np.savez(data, image=image.astype(np.float32), extra=extra.astype(np.float32))
    recipe = Recipe(model=str(tmp_path / "two.keras"), calibrate=str(data), io="int8")
    found = quantize(recipe, tmp_path / "two.tflite")
    scales = {each.name: each.scale for each in load(tmp_path / "two.tflite").inputs}
    assert scales == pytest.approx({"image": 1 / 255, "extra": 100 / 255}, rel=0.05)
    assert found.sqnr_db.keys() == {"sum", "near"}
    assert min(found.sqnr_db.values()) > 30


def test_int8_without_calibration_data_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--calibrate DATA"):
        convert(Recipe(model="any.keras"), tmp_path)


def test_an_edge_tpu_takes_no_float(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="8-bit integers only"):
        convert(Recipe(model="any.keras", targets=("coral-usb",), scheme="float16"), tmp_path)


def test_a_failed_run_leaves_nothing_behind(spots: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.keras"
    broken.write_bytes(b"no model at all")
    with pytest.raises(SourceError, match=r"broken\.keras"):
        convert(Recipe(model=str(broken), calibrate=str(spots)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_converter_that_dies_becomes_a_message_with_a_remedy(tmp_path: Path) -> None:
    import keras

    from edgekit.errors import CrashError

    inner = keras.layers.TimeDistributed(keras.layers.GRU(3))
    model = keras.Sequential([keras.Input((2, 6, 4)), inner, keras.layers.Dense(2)])
    model.save(tmp_path / "gru.keras")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(60, 2, 6, 4)).astype("f"))
    recipe = Recipe(model=str(tmp_path / "gru.keras"), calibrate=str(tmp_path / "x.npy"))
    with pytest.raises(CrashError, match="unroll=True"):
        convert(recipe, tmp_path / "out")
