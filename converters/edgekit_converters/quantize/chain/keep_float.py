"""The fewest layers that must stay in float for a model to be good enough.

Layers are ranked by what they cost at the outputs per multiply-accumulate, so that much
accuracy comes back for little float work. What a layer computes is rounded unless those
that read it are in float, too, so these go with it. How many of the first ones are needed
is found by doubling and halving; then those that turn out not to be needed are taken out
again, the most expensive one first. Every choice is a file that is made and measured.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from edgekit.flatbuffer.graph import Graph, OpView
from edgekit_converters.quantize.chain.diagnosis import LayerDiagnosis
from edgekit_converters.quantize.chain.match import WITH_WEIGHTS, output

TRIES = 8


@dataclass(frozen=True, slots=True)
class Choice:
    """Layers that stay in float.

    Attributes:
        names: Which ones.
        macs: Multiply-accumulates of all of them.
    """

    names: tuple[str, ...]
    macs: int


def fewest(
    layers: Sequence[LayerDiagnosis],
    good_enough: Callable[[tuple[str, ...]], bool],
    tries: int = TRIES,
    *,
    readers: Mapping[str, Iterable[str]] | None = None,
) -> Choice | None:
    """Choose layers to keep in float.

    Args:
        layers: What is known of them.
        good_enough: Makes the model with these layers in float and says whether it will do.
        tries: How often that may be asked.
        readers: Which layers read what a layer computes, by name.

    Returns:
        The choice, or None if nothing that was tried is good enough.
    """
    ranked = sorted(
        (each for each in layers if each.sensitivity > 0),
        key=lambda each: -each.sensitivity / max(each.macs, 1),
    )
    asked = _Asked(good_enough, tries)
    chosen = _first(ranked, _Following(layers, readers or {}), asked)
    if chosen is None:
        return None
    for layer in sorted(chosen, key=lambda each: -each.macs):
        others = [each for each in chosen if each is not layer]
        if others and asked.left and asked(others):
            chosen = others
    return Choice(tuple(each.name for each in chosen), sum(each.macs for each in chosen))


class _Asked:
    """Asks as often as it may."""

    def __init__(self, good_enough: Callable[[tuple[str, ...]], bool], tries: int) -> None:
        self._good_enough = good_enough
        self.left = tries

    def __call__(self, layers: Sequence[LayerDiagnosis]) -> bool:
        self.left -= 1
        return self._good_enough(tuple(each.name for each in layers))


class _Following:
    """Adds to layers those that read what they compute."""

    def __init__(
        self, layers: Sequence[LayerDiagnosis], readers: Mapping[str, Iterable[str]]
    ) -> None:
        self._layers = {each.name: each for each in layers}
        self._readers = readers

    def __call__(self, chosen: Sequence[LayerDiagnosis]) -> list[LayerDiagnosis]:
        names = dict.fromkeys(each.name for each in chosen)
        for each in chosen:
            names |= dict.fromkeys(self._readers.get(each.name, ()))
        return [self._layers[name] for name in names if name in self._layers]


def _first(
    ranked: Sequence[LayerDiagnosis], following: _Following, asked: _Asked
) -> list[LayerDiagnosis] | None:
    """Return as many of the first layers as are enough, with what follows them."""
    too_few, enough = 0, None
    while asked.left and too_few < len(ranked):
        if enough is None:
            count = min(max(2 * too_few, 1), len(ranked))
        elif enough - too_few > 1:
            count = (too_few + enough) // 2
        else:
            break
        if asked(following(ranked[:count])):
            enough = count
        else:
            too_few = count
    return None if enough is None else following(ranked[:enough])


def readers(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Return which layers read what each layer computes, maybe through other operators."""
    flow = _Flow(graph)
    found = {}
    for op in flow.layers:
        seen = flow.reached([op], forward=True)
        found[_name(graph, op)] = tuple(
            _name(graph, each) for each in flow.layers if each in seen
        )
    return found


def between(graph: Graph, names: Iterable[str]) -> tuple[str, ...]:
    """Return the operators without weights on the way from one of these layers to another."""
    flow, wanted = _Flow(graph), set(names)
    kept = [op for op in flow.layers if _name(graph, op) in wanted]
    both = flow.reached(kept, forward=True) & flow.reached(kept, forward=False)
    ops = [op for op in graph.ops if op in both and op not in flow.layers]
    return tuple(output(graph, op).name for op in ops)


class _Flow:
    """How values flow between the operators of a model, by their numbers."""

    def __init__(self, graph: Graph) -> None:
        self.layers = [op for op in graph.ops if op.op in WITH_WEIGHTS]
        maker = {index: op for op in graph.ops for index in op.outputs}
        self._before = {op: {maker[i] for i in op.inputs if i in maker} for op in graph.ops}
        self._after: dict[OpView, set[OpView]] = {op: set() for op in graph.ops}
        for op, makers in self._before.items():
            for each in makers:
                self._after[each].add(op)

    def reached(self, start: Iterable[OpView], *, forward: bool) -> set[OpView]:
        """Return what is reached from operators, as far as the next layers."""
        step = self._after if forward else self._before
        found: set[OpView] = set()
        edge = [each for op in start for each in step[op]]
        while edge:
            op = edge.pop()
            if op not in found:
                found.add(op)
                edge += [] if op in self.layers else step[op]
        return found


def _name(graph: Graph, op: OpView) -> str:
    return output(graph, op).name.partition(";")[0]
