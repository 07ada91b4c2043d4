"""The tables of TFLite's standard metadata (identifier M001), which no package carries.

One line a table: its fields in the order of their slots. A union takes two slots, the
first for its tag; enums are bytes, their names stand below.

Source:
    https://github.com/tensorflow/tflite-support, metadata_schema.fbs
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
"""  # noqa: E501 (one line a table)

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
