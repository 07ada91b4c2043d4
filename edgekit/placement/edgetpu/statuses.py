"""The compiler's own words for what becomes of an operator, as its logs have them."""

MAPPED = "Mapped to Edge TPU"
NOT_CONSTANT = "Filter, bias, or other param is not constant at compile-time"
ONE_SUBGRAPH = "More than one subgraph is not supported"
UNSPECIFIED = (
    "Operation is otherwise supported, but not mapped due to some unspecified limitation"
)
UNSUPPORTED = "Operation not supported"
WRONG_RANK = "Tensor has unsupported rank (up to 3 innermost dimensions mapped)"
WRONG_TYPE = "Operation is working on an unsupported data type"
