"""Tables that the `tflite` package does not have, written down.

They are those of TFLite's standard metadata (identifier M001), which no package carries,
and what later schemas added to .tflite.

One line a table: its fields in the order of their slots. A union takes two slots, the
first for its tag; enums are bytes, their names stand below.

Source:
    https://github.com/tensorflow/tflite-support, metadata_schema.fbs
    https://github.com/google-ai-edge/LiteRT, schema.fbs
"""

TABLES = """
ModelMetadata: name:string description:string version:string subgraph_metadata:[SubGraphMetadata] author:string license:string associated_files:[AssociatedFile] min_parser_version:string
SubGraphMetadata: name:string description:string input_tensor_metadata:[TensorMetadata] output_tensor_metadata:[TensorMetadata] associated_files:[AssociatedFile] input_process_units:[ProcessUnit] output_process_units:[ProcessUnit] input_tensor_groups:[TensorGroup] output_tensor_groups:[TensorGroup] custom_metadata:[CustomMetadata]
TensorMetadata: name:string description:string dimension_names:[string] content:Content process_units:[ProcessUnit] stats:Stats associated_files:[AssociatedFile]
TensorGroup: name:string tensor_names:[string]
CustomMetadata: name:string data:[ubyte]
AssociatedFile: name:string description:string type:byte locale:string version:string
Content: content_properties:ContentProperties range:ValueRange
ValueRange: min:int max:int
FeatureProperties:
ImageProperties: color_space:byte default_size:ImageSize
ImageSize: width:uint height:uint
BoundingBoxProperties: index:[uint] type:byte coordinate_type:byte
AudioProperties: sample_rate:uint channels:uint
Stats: max:[float] min:[float]
ProcessUnit: options:ProcessUnitOptions
NormalizationOptions: mean:[float] std:[float]
ScoreCalibrationOptions: score_transformation:byte default_score:float
ScoreThresholdingOptions: global_score_threshold:float
BertTokenizerOptions: vocab_file:[AssociatedFile]
SentencePieceTokenizerOptions: sentencePiece_model:[AssociatedFile] vocab_file:[AssociatedFile]
RegexTokenizerOptions: delim_regex_pattern:string vocab_file:[AssociatedFile]
BlockwiseQuantization: scales:int zero_points:int block_size:int block_shape:[int]
MultiAxisQuantization: scales:int zero_points:int block_size:int quantized_dimensions:[int]
StablehloCaseOptions: branch_subgraph_indices:[int]
ExternalBufferGroup: name:string
ExternalBuffer: id:uint group:uint offset:ulong length:ulong packing:string
"""  # noqa: E501 (one line a table)

# Fields of later schemas: table -> name, slot, type, default.
LATER_FIELDS: dict[str, list[tuple[str, int, str, int | None]]] = {
    "Model": [
        ("external_buffer_groups", 8, "[ExternalBufferGroup]", None),
        ("external_buffers", 9, "[ExternalBuffer]", None),
    ],
    "Operator": [("debug_metadata_index", 13, "int", -1)],
    "SubGraph": [("debug_metadata_index", 5, "int", -1)],
    "Tensor": [("external_buffer", 10, "uint", 0)],
}
# Values of later schemas by enum.
LATER_VALUES = {
    "BuiltinOperator": {209: "STABLEHLO_CASE"},
    "BuiltinOptions2": {23: "StablehloCaseOptions"},
    "QuantizationDetails": {2: "BlockwiseQuantization", 3: "MultiAxisQuantization"},
    "TensorType": {
        18: "BFLOAT16",
        19: "INT2",
        20: "UINT4",
        21: "FLOAT8_E4M3FN",
        22: "FLOAT8_E5M2",
    },
}
# Enum of a union -> tables by tag.
UNIONS = {
    "ContentProperties": {
        1: "FeatureProperties",
        2: "ImageProperties",
        3: "BoundingBoxProperties",
        4: "AudioProperties",
    },
    "ProcessUnitOptions": {
        1: "NormalizationOptions",
        2: "ScoreCalibrationOptions",
        3: "ScoreThresholdingOptions",
        4: "BertTokenizerOptions",
        5: "SentencePieceTokenizerOptions",
        6: "RegexTokenizerOptions",
    },
}
COLOR_SPACES = {"rgb": 1, "gray": 2}
AXIS_LABELS, VALUE_LABELS = 2, 3  # kinds of associated files
BOX_BOUNDARIES = 1  # boxes as corners
BOX_PIXELS = 1  # and not as shares of the input
